// A room hub on Bun: its own publish and subscribe (uWebSockets), as its documentation shows.
import { randomUUID } from "node:crypto";

const server = Bun.serve({
  port: Number(process.argv[2]),
  hostname: "127.0.0.1",
  fetch(request, server) {
    const query = new URL(request.url).searchParams;
    const data = { room: query.get("room") ?? "lobby", from: query.get("name") ?? "guest" };
    return server.upgrade(request, { data }) ? undefined : new Response("no WebSocket", { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      socket.subscribe(socket.data.room);
    },
    message(socket, data) {
      const event = JSON.parse(data);
      const text = String(event.text ?? "").trim();
      if (event.type !== "message" || !text || text.length > 500) return;
      const { room, from } = socket.data;
      const message = { id: randomUUID(), room, from, text, sentAt: new Date().toISOString() };
      server.publish(room, JSON.stringify({ type: "message", message }));
    },
  },
});
