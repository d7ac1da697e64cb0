// A room hub on socket.io: `io.to(room).emit`, over the WebSocket transport.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Server } from "socket.io";

const server = createServer();
const io = new Server(server, { transports: ["websocket"], perMessageDeflate: false });

io.on("connection", (socket) => {
  const { room = "lobby", name: from = "guest" } = socket.handshake.query;
  socket.join(room);
  socket.on("message", (event) => {
    const text = String(event.text ?? "").trim();
    if (event.type !== "message" || !text || text.length > 500) return;
    const message = { id: randomUUID(), room, from, text, sentAt: new Date().toISOString() };
    io.to(room).emit("message", { type: "message", message });
  });
});

server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
