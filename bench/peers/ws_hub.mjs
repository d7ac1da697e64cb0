// A room hub on `ws`, as its documentation shows broadcasting: the event is encoded once, `send` called for each.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const rooms = new Map();
const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });

sockets.on("connection", (socket, request) => {
  const query = new URL(request.url, "http://localhost").searchParams;
  const room = query.get("room") ?? "lobby";
  const from = query.get("name") ?? "guest";
  if (!rooms.has(room)) rooms.set(room, new Set());
  const members = rooms.get(room);
  members.add(socket);
  socket.on("message", (data) => {
    const event = JSON.parse(data);
    const text = String(event.text ?? "").trim();
    if (event.type !== "message" || !text || text.length > 500) return;
    const message = { id: randomUUID(), room, from, text, sentAt: new Date().toISOString() };
    const frame = JSON.stringify({ type: "message", message });
    for (const member of members) if (member.readyState === 1) member.send(frame);
  });
  socket.on("close", () => members.delete(socket));
  socket.on("error", () => {});
});

server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
