// A room hub on gorilla/websocket, after its chat example: a hub goroutine, a channel and a writer per client.
package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

type client struct {
	socket *websocket.Conn
	room   string
	name   string
	send   chan []byte
}

type broadcast struct {
	room string
	data []byte
}

type hub struct {
	rooms      map[string]map[*client]bool
	register   chan *client
	unregister chan *client
	broadcast  chan broadcast
}

func (h *hub) run() {
	for {
		select {
		case c := <-h.register:
			if h.rooms[c.room] == nil {
				h.rooms[c.room] = map[*client]bool{}
			}
			h.rooms[c.room][c] = true
		case c := <-h.unregister:
			if h.rooms[c.room][c] {
				delete(h.rooms[c.room], c)
				close(c.send)
			}
		case b := <-h.broadcast:
			for c := range h.rooms[b.room] {
				select {
				case c.send <- b.data:
				default:
					delete(h.rooms[b.room], c)
					close(c.send)
				}
			}
		}
	}
}

type message struct {
	ID     string `json:"id"`
	Room   string `json:"room"`
	From   string `json:"from"`
	Text   string `json:"text"`
	SentAt string `json:"sentAt"`
}

type event struct {
	Type    string  `json:"type"`
	Message message `json:"message"`
}

func newID() string {
	b := make([]byte, 16)
	rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (c *client) read(h *hub) {
	defer func() { h.unregister <- c; c.socket.Close() }()
	for {
		_, raw, err := c.socket.ReadMessage()
		if err != nil {
			return
		}
		var in struct {
			Type string `json:"type"`
			Text string `json:"text"`
		}
		if json.Unmarshal(raw, &in) != nil {
			continue
		}
		text := strings.TrimSpace(in.Text)
		if in.Type != "message" || text == "" || len(text) > 500 {
			continue
		}
		sent := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		data, _ := json.Marshal(event{"message", message{newID(), c.room, c.name, text, sent}})
		h.broadcast <- broadcast{c.room, data}
	}
}

func (c *client) write() {
	for data := range c.send {
		if c.socket.WriteMessage(websocket.TextMessage, data) != nil {
			return
		}
	}
	c.socket.Close()
}

func main() {
	h := &hub{map[string]map[*client]bool{}, make(chan *client), make(chan *client), make(chan broadcast)}
	go h.run()
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	http.HandleFunc("/chat", func(w http.ResponseWriter, r *http.Request) {
		socket, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		room, name := r.FormValue("room"), r.FormValue("name")
		c := &client{socket, room, name, make(chan []byte, 256)}
		h.register <- c
		go c.write()
		go c.read(h)
	})
	http.ListenAndServe("127.0.0.1:"+os.Args[1], nil)
}
