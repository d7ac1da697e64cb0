/* The load generator: opens WebSockets, sends, and counts what comes back. `loader.py` compiles and drives it.

   One thread and epoll. Of a frame it reads the header and finds the mark `#load:sender:number#` in the text;
   no JSON is parsed, so that a frame costs less here than in any server. Order, losses and duplicates are
   checked for each receiver and sender. With several ports (`-p 8001,8002`) connections go to them in turn; what
   reaches a connection at another port than its sender's is counted as far. Commands come on standard input, answers go out as lines of JSON:

     connect COUNT INFLIGHT                        open further connections, so many at a time
     load SENDERS WINDOW RATE WARMUP_MS RUN_MS     SENDERS of each room; RATE 0: each keeps WINDOW unreturned,
                                                   else RATE messages a second in all
     stall COUNT                                   the last COUNT connections read no further
     idle MS                                       only answer pings
     drop                                          close everything at once                                  */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { NEW, CONNECTING, HANDSHAKE, OPENING, UP, DEAD };
enum { TEXT_BYTES = 61, IN_BYTES = 1 << 20, TIMES = 1 << 16, BUCKETS = 64 * 32, EVENTS = 1024 };

typedef struct {
    int fd, room, local, sender, rest_len, out_len;
    unsigned char state, stalled;
    char *rest, *out;
    int32_t *last;
    uint64_t began;
} Conn;

typedef struct { Conn *conn; int32_t sent, returned; uint64_t *times; } Sender;

static Conn *conns;
static Sender *senders;
static char **specs;
static int spec_count, opened, epoll, per_room = 1 << 30, nonces, socketio, wait_history;
static const char *origin = "", *host;
enum { PORTS = 16 };
static struct sockaddr_in addresses[PORTS];
static int port_count;
static char in[IN_BYTES];

/* connecting */
static int target, inflight_limit, inflight, next_start, up, failed, statuses[600];
static uint64_t connect_began, *up_times;

/* loading */
static int load, running, counting, draining, senders_per_room, sender_count, window;
static double rate;
static uint64_t load_from, count_from, count_until, drain_until, paced, idle_until, last_text;
static uint64_t delivered, far_delivered, reads, all_delivered, lost, duplicated, resets, closed_early, pings, texts, event_bytes;
static uint64_t latency[2][BUCKETS], returned_in_window; /* near and far */

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int bucket(uint64_t ns) {
    if (ns < 32) return (int)ns;
    int top = 63 - __builtin_clzll(ns);
    return (top - 4) * 32 + (int)((ns >> (top - 5)) & 31);
}

static double bucket_ms(int index) {
    if (index < 32) return index / 1e6;
    int top = index / 32 + 4;
    return (double)((1ull << top) + ((uint64_t)(index % 32) << (top - 5))) / 1e6;
}

static double percentile_ms(double share, int near, int far) {
    uint64_t all = 0, seen = 0;
    for (int i = 0; i < BUCKETS; i++) all += (near ? latency[0][i] : 0) + (far ? latency[1][i] : 0);
    for (int i = 0; i < BUCKETS; i++) {
        seen += (near ? latency[0][i] : 0) + (far ? latency[1][i] : 0);
        if (seen && (double)seen >= share * (double)all) return bucket_ms(i);
    }
    return 0;
}

static int port_of(Conn *c) { return (int)(c - conns) % port_count; }

static void watch(Conn *c, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(epoll, operation, c->fd, &event);
}

static void start_next(void);

static void bury(Conn *c) {
    if (c->state == DEAD) return;
    if (c->state == UP) { closed_early++; up--; }
    else { failed++; inflight--; }
    c->state = DEAD;
    close(c->fd);
    free(c->rest); free(c->out);
    c->rest = c->out = NULL; c->rest_len = c->out_len = 0;
}

static void flush(Conn *c) {
    while (c->out_len) {
        ssize_t n = send(c->fd, c->out, (size_t)c->out_len, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN) { bury(c); return; }
            watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return;
        }
        memmove(c->out, c->out + n, (size_t)(c->out_len -= (int)n));
    }
}

static void put(Conn *c, const void *data, int size) {
    c->out = realloc(c->out, (size_t)(c->out_len + size));
    memcpy(c->out + c->out_len, data, (size_t)size);
    c->out_len += size;
}

static void put_frame(Conn *c, int opcode, const char *payload, int size) {
    static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};
    unsigned char frame[1024];
    int head = 2;
    frame[0] = (unsigned char)(0x80 | opcode);
    if (size < 126) frame[1] = (unsigned char)(0x80 | size);
    else { frame[1] = 0x80 | 126; frame[2] = (unsigned char)(size >> 8); frame[3] = (unsigned char)size; head = 4; }
    memcpy(frame + head, key, 4);
    for (int i = 0; i < size; i++) frame[head + 4 + i] = (unsigned char)payload[i] ^ key[i & 3];
    put(c, frame, head + 4 + size);
}

static void put_message(int index, uint64_t now) {
    Sender *s = &senders[index];
    char text[TEXT_BYTES + 32], event[512];
    int32_t number = ++s->sent;
    int n = snprintf(text, sizeof text, "#%d:%d:%d#", load, index, number), size;
    memset(text + n, 'x', (size_t)(TEXT_BYTES - n));
    text[TEXT_BYTES] = 0;
    s->times[number % TIMES] = now;
    if (socketio) size = snprintf(event, sizeof event, "42[\"message\",{\"type\":\"message\",\"text\":\"%s\"}]", text);
    else if (nonces) size = snprintf(event, sizeof event,
        "{\"type\":\"message\",\"text\":\"%s\",\"nonce\":\"%x-%d-%d-%d\"}", text, (unsigned)connect_began, load, index, number);
    else size = snprintf(event, sizeof event, "{\"type\":\"message\",\"text\":\"%s\"}", text);
    put_frame(s->conn, 1, event, size);
}

static void fill_window(int index, uint64_t now) {
    Sender *s = &senders[index];
    if (s->conn->state != UP) return;
    while (s->sent - s->returned < window) put_message(index, now);
    flush(s->conn);
}

/* -- what comes -------------------- */

static void on_mark(Conn *c, const char *at, const char *end, int history, uint64_t now) {
    int numbers[3] = {0, 0, 0}, k = 0;
    for (at++; at < end && *at != '#'; at++) {
        if (*at == ':') { if (++k > 2) return; }
        else if (*at < '0' || *at > '9') return;
        else numbers[k] = numbers[k] * 10 + (*at - '0');
    }
    int sender = numbers[1], number = numbers[2];
    if (k != 2 || at >= end || !running || numbers[0] != load || sender >= sender_count) return;
    int slot = sender - c->room * senders_per_room;
    if (slot < 0 || slot >= senders_per_room || !c->last) return;
    int32_t expected = c->last[slot] + 1;
    if (number < expected) { if (!history) duplicated++; return; }
    if (number > expected) { if (history) resets += (uint64_t)(number - expected); else lost += (uint64_t)(number - expected); }
    c->last[slot] = number;
    all_delivered++;
    if (counting) {
        delivered++;
        int far = port_of(c) != port_of(senders[sender].conn);
        far_delivered += (uint64_t)far;
        latency[far][bucket(now - senders[sender].times[number % TIMES])]++;
    }
    if (c->sender == sender) {
        senders[sender].returned = number;
        if (counting) returned_in_window++;
    }
}

static void is_up(Conn *c) {
    c->state = UP;
    inflight--;
    up_times[up++] = now_ns() - c->began;
}

static void on_text(Conn *c, const char *data, uint64_t size, uint64_t now) {
    static const char reset[] = "{\"type\":\"history\"";
    const char *end = data + size, *mark;
    last_text = now;
    texts++;
    if (socketio && size && c->state != UP) {
        if (data[0] == '0') { put_frame(c, 1, "40", 2); flush(c); }
        else if (size > 1 && data[0] == '4' && data[1] == '0') is_up(c);
        return;
    }
    if (socketio && size == 1 && data[0] == '2') { put_frame(c, 1, "3", 1); flush(c); return; }
    if (size > sizeof reset && !memcmp(data, reset, sizeof reset - 1)) {
        if (c->state == OPENING && memmem(end - 20, 20, "\"more\":false", 12)) is_up(c);
        for (mark = data; running && (mark = memchr(mark, '#', (size_t)(end - mark)));) {
            on_mark(c, mark, end, 1, now);
            const char *next = memchr(mark + 1, '#', (size_t)(end - mark - 1));
            if (!next) break;
            mark = next + 1;
        }
        return;
    }
    if (running && (mark = memchr(data, '#', size))) {
        event_bytes = size;
        on_mark(c, mark, end, 0, now);
    }
}

/* Returns how much of `data` was used, -1 when the connection has ended. */
static int64_t parse(Conn *c, char *data, int64_t size, uint64_t now) {
    int64_t at = 0;
    if (c->state == HANDSHAKE) {
        char *blank = memmem(data, (size_t)size, "\r\n\r\n", 4);
        if (!blank) return 0;
        int status = size > 12 ? atoi(data + 9) : 0;
        if (status >= 0 && status < 600) statuses[status]++;
        if (status != 101) return -1;
        c->state = OPENING;
        if (!wait_history && !socketio) is_up(c);
        at = blank + 4 - data;
    }
    while (size - at >= 2) {
        unsigned char *h = (unsigned char *)data + at;
        uint64_t length = h[1] & 127;
        int head = 2;
        if (length == 126) { if (size - at < 4) break; length = (uint64_t)(h[2] << 8 | h[3]); head = 4; }
        else if (length == 127) {
            if (size - at < 10) break;
            length = 0;
            for (int i = 0; i < 8; i++) length = length << 8 | h[2 + i];
            head = 10;
        }
        if ((uint64_t)(size - at - head) < length) break;
        char *payload = (char *)h + head;
        int opcode = h[0] & 15;
        if (opcode == 1) on_text(c, payload, length, now);
        else if (opcode == 9) { pings++; put_frame(c, 10, payload, (int)length); flush(c); }
        else if (opcode == 8) return -1;
        if (c->state == DEAD) return -1;
        at += head + (int64_t)length;
    }
    return at;
}

static void on_readable(Conn *c) {
    if (c->rest_len) memcpy(in, c->rest, (size_t)c->rest_len);
    ssize_t n = recv(c->fd, in + c->rest_len, (size_t)(IN_BYTES - c->rest_len), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) { bury(c); return; }
    int64_t size = c->rest_len + n;
    uint64_t now = now_ns();
    reads += (uint64_t)counting;
    int64_t used = parse(c, in, size, now);
    if (used < 0) { bury(c); return; }
    c->rest_len = (int)(size - used);
    if (c->rest_len == IN_BYTES) { bury(c); return; }
    if (c->rest_len) {
        c->rest = realloc(c->rest, (size_t)c->rest_len);
        memcpy(c->rest, in + used, (size_t)c->rest_len);
    } else if (c->rest) { free(c->rest); c->rest = NULL; }
    if (running && !draining && !(rate > 0) && c->sender >= 0) fill_window(c->sender, now);
}

/* -- connecting -------------------- */

static void on_connected(Conn *c) {
    int error = 0;
    socklen_t size = sizeof error;
    char request[4096], *spec = specs[c - conns], *cookie = strchr(spec, '\t');
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) { bury(c); return; }
    int n = snprintf(request, sizeof request,
        "GET %.*s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s%s%s%s\r\n",
        cookie ? (int)(cookie - spec) : (int)strlen(spec), spec, host, *origin ? "Origin: " : "", origin,
        *origin ? "\r\n" : "", cookie ? "Cookie: " : "", cookie ? cookie + 1 : "", cookie ? "\r\n" : "");
    c->state = HANDSHAKE;
    put(c, request, n);
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
    flush(c);
}

static void start_next(void) {
    while (next_start < target && inflight < inflight_limit) {
        Conn *c = &conns[next_start];
        int one = 1;
        c->room = next_start / per_room;
        c->local = next_start % per_room;
        c->sender = -1;
        next_start++;
        inflight++;
        c->began = now_ns();
        c->state = CONNECTING;
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (c->fd < 0) { perror("socket"); exit(1); }
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(c, EPOLL_CTL_ADD, EPOLLOUT);
        if (connect(c->fd, (struct sockaddr *)&addresses[port_of(c)], sizeof *addresses) < 0 && errno != EINPROGRESS) bury(c);
    }
}

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void tell_connected(void) {
    int fresh = up - opened;
    uint64_t *times = up_times + opened;
    qsort(times, (size_t)(fresh > 0 ? fresh : 0), sizeof *times, by_size);
    printf("{\"event\":\"connected\",\"up\":%d,\"failed\":%d,\"seconds\":%.6f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"max_ms\":%.3f,\"refused\":%d}\n", up, failed, (double)(now_ns() - connect_began) / 1e9,
           fresh > 0 ? (double)times[fresh / 2] / 1e6 : 0, fresh > 0 ? (double)times[fresh * 99 / 100] / 1e6 : 0,
           fresh > 0 ? (double)times[fresh - 1] / 1e6 : 0,
           statuses[400] + statuses[401] + statuses[403] + statuses[404] + statuses[429] + statuses[500] + statuses[503]);
    fflush(stdout);
    opened = up;
    target = 0;
}

/* -- loading -------------------- */

static void begin_load(int of_room, int window_, double rate_, int warmup_ms, int run_ms) {
    int rooms = (next_start + per_room - 1) / per_room;
    load++;
    senders_per_room = of_room;
    sender_count = of_room * rooms;
    window = window_;
    rate = rate_;
    senders = calloc((size_t)sender_count, sizeof *senders);
    for (int i = 0; i < next_start; i++) {
        Conn *c = &conns[i];
        free(c->last);
        c->last = calloc((size_t)of_room, sizeof *c->last);
        c->sender = c->local < of_room ? c->room * of_room + c->local : -1;
        if (c->sender >= 0) {
            senders[c->sender].conn = c;
            senders[c->sender].times = calloc(TIMES, sizeof(uint64_t));
        }
    }
    memset(latency, 0, sizeof latency);
    delivered = far_delivered = reads = all_delivered = lost = duplicated = resets = returned_in_window = closed_early = 0;
    running = 1;
    counting = draining = 0;
    load_from = paced = now_ns();
    count_from = load_from + (uint64_t)warmup_ms * 1000000u;
    count_until = count_from + (uint64_t)run_ms * 1000000u;
    for (int i = 0; !(rate > 0) && i < sender_count; i++) fill_window(i, load_from);
}

static void pace(uint64_t now) {
    static int turn;
    while (paced <= now) {
        int index = turn++ % sender_count;
        if (senders[index].conn->state == UP) { put_message(index, now); flush(senders[index].conn); }
        paced += (uint64_t)(1e9 / rate);
    }
}

static int all_came(void) {
    for (int i = 0; i < next_start; i++) {
        Conn *c = &conns[i];
        for (int k = 0; c->state == UP && !c->stalled && k < senders_per_room; k++)
            if (c->last[k] < senders[c->room * senders_per_room + k].sent) return 0;
    }
    return 1;
}

static void tell_load(uint64_t now) {
    uint64_t missing = 0;
    for (int i = 0; i < next_start; i++)
        for (int k = 0; conns[i].state == UP && !conns[i].stalled && k < senders_per_room; k++)
            missing += (uint64_t)(senders[conns[i].room * senders_per_room + k].sent - conns[i].last[k]);
    printf("{\"event\":\"loaded\",\"lost\":%lu,\"duplicated\":%lu,\"reset\":%lu,\"closed\":%lu,\"p50_ms\":%.4f,"
           "\"p99_ms\":%.4f,\"event_bytes\":%lu,\"drained_ms\":%.1f,\"far\":%lu,\"near_p50_ms\":%.4f,"
           "\"near_p99_ms\":%.4f,\"far_p50_ms\":%.4f,\"far_p99_ms\":%.4f}\n", lost + missing, duplicated, resets,
           closed_early, percentile_ms(0.5, 1, 1), percentile_ms(0.99, 1, 1), event_bytes,
           (double)(now - count_until) / 1e6, far_delivered, percentile_ms(0.5, 1, 0), percentile_ms(0.99, 1, 0),
           percentile_ms(0.5, 0, 1), percentile_ms(0.99, 0, 1));
    fflush(stdout);
    running = draining = 0;
    for (int i = 0; i < sender_count; i++) free(senders[i].times);
    free(senders);
    for (int i = 0; i < next_start; i++) conns[i].sender = -1;
}

static void step_load(uint64_t now) {
    if (!counting && !draining && now >= count_from) {
        counting = 1;
        count_from = now;
        printf("{\"event\":\"counting\"}\n");
        fflush(stdout);
    }
    if (counting && now >= count_until) {
        counting = 0;
        draining = 1;
        drain_until = now + 15000000000u;
        printf("{\"event\":\"counted\",\"deliveries\":%lu,\"returned\":%lu,\"reads\":%lu,\"seconds\":%.6f}\n", delivered,
               returned_in_window, reads, (double)(now - count_from) / 1e9);
        fflush(stdout);
        count_until = now;
    }
    if (draining && (all_came() || now >= drain_until)) tell_load(now);
    else if (rate > 0 && !draining) pace(now);
}

static void command(char *line) {
    int a, b, c, d;
    double r;
    if (sscanf(line, "connect %d %d", &a, &b) == 2) {
        if (next_start + a > spec_count) { fprintf(stderr, "too few lines for connections\n"); exit(1); }
        target = next_start + a;
        inflight_limit = b;
        connect_began = now_ns();
    } else if (sscanf(line, "load %d %d %lf %d %d", &a, &b, &r, &c, &d) == 5) begin_load(a, b, r, c, d);
    else if (sscanf(line, "stall %d", &a) == 1) {
        for (int i = next_start - a; i < next_start; i++) {
            int small = 4096;
            setsockopt(conns[i].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
            conns[i].stalled = 1;
            epoll_ctl(epoll, EPOLL_CTL_DEL, conns[i].fd, NULL);
        }
        printf("{\"event\":\"stalled\"}\n");
        fflush(stdout);
    } else if (sscanf(line, "idle %d", &a) == 1) {
        idle_until = now_ns() + (uint64_t)a * 1000000u;
        pings = closed_early = 0;
    } else if (!strncmp(line, "drop", 4)) exit(0);
}

static void read_ports(char *list) {
    for (char *at = strtok(list, ","); at && port_count < PORTS; at = strtok(NULL, ",")) {
        addresses[port_count].sin_family = AF_INET;
        addresses[port_count].sin_port = htons((uint16_t)atoi(at));
        addresses[port_count++].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
}

static void read_specs(const char *path) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    if (!file) { perror(path); exit(1); }
    while ((n = getline(&line, &room, file)) > 0) {
        if (line[n - 1] == '\n') line[n - 1] = 0;
        specs = realloc(specs, (size_t)(spec_count + 1) * sizeof *specs);
        specs[spec_count++] = strdup(line);
    }
    fclose(file);
}

int main(int count, char **arguments) {
    int option;
    while ((option = getopt(count, arguments, "p:H:o:c:r:nsh")) != -1) switch (option) {
        case 'p': read_ports(optarg); break;
        case 'H': host = optarg; break;
        case 'o': origin = optarg; break;
        case 'c': read_specs(optarg); break;
        case 'r': per_room = atoi(optarg); break;
        case 'n': nonces = 1; break;
        case 's': socketio = 1; break;
        case 'h': wait_history = 1; break;
        default: return 2;
    }
    if (!port_count || !host || !spec_count) return 2;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    conns = calloc((size_t)spec_count, sizeof *conns);
    up_times = calloc((size_t)spec_count, sizeof *up_times);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS], input = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input);
    char line[256];
    int line_len = 0;
    for (;;) {
        int wait = running || idle_until || target ? 1 : 1000;
        if (running && rate > 0 && !draining) wait = 1;
        int n = epoll_wait(epoll, events, EVENTS, wait);
        for (int i = 0; i < n; i++) {
            Conn *c = events[i].data.ptr;
            if (!c) {
                ssize_t got = read(0, line + line_len, sizeof line - 1 - (size_t)line_len);
                if (got <= 0) return 0;
                line[line_len += (int)got] = 0;
                for (char *end; (end = strchr(line, '\n'));) {
                    *end = 0;
                    command(line);
                    memmove(line, end + 1, strlen(end + 1) + 1);
                    line_len = (int)strlen(line);
                }
                continue;
            }
            if (c->state == DEAD) continue;
            if (c->state == CONNECTING) { on_connected(c); continue; }
            if (events[i].events & EPOLLOUT) { watch(c, EPOLL_CTL_MOD, EPOLLIN); flush(c); }
            if (c->state != DEAD && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(c);
        }
        uint64_t now = now_ns();
        if (target) {
            start_next();
            if (next_start == target && !inflight) tell_connected();
        }
        if (running) step_load(now);
        if (idle_until && now >= idle_until) {
            idle_until = 0;
            printf("{\"event\":\"idled\",\"pings\":%lu,\"closed\":%lu,\"quiet_ms\":%.0f}\n", pings, closed_early,
                   last_text ? (double)(now - last_text) / 1e6 : 1e6);
            fflush(stdout);
        }
    }
}
