// The servers of the matrix, which count the truth: a listener a cell, and for each connection how many requests the
// handler was given on it.
//
// A line of JSON on standard input asks for a listener, and is answered by its address. When standard input ends, it says
// what each has counted.
package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
)

var versions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// What a cell needs.
type wish struct {
	// "" is HTTP in the clear
	TLS   string `json:"tls"`
	HTTP2 bool   `json:"http2"`
	// Connections that are idle for so long are closed; 0 is never
	IdleMs int `json:"idle_ms"`
}

type connection struct {
	Client   string `json:"client"`
	Requests int    `json:"requests"`
	// Not net/http's any more
	taken bool
}

// What one listener has counted.
type truth struct {
	mutex sync.Mutex
	// As ConnState tells
	Accepted int `json:"accepted"`
	Closed   int `json:"closed"`
	// How many of the requests came by HTTP/2
	HTTP2       int           `json:"http2"`
	Connections []*connection `json:"connections"`
}

type key struct{}

func (t *truth) begin(ctx context.Context, conn net.Conn) context.Context {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	connection := &connection{Client: conn.RemoteAddr().String()}
	t.Connections = append(t.Connections, connection)
	return context.WithValue(ctx, key{}, connection)
}

func (t *truth) find(conn net.Conn) int {
	for n, connection := range t.Connections {
		if connection.Client == conn.RemoteAddr().String() {
			return n
		}
	}
	panic("ConnContext comes before ConnState")
}

func (t *truth) count(conn net.Conn, state http.ConnState) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	switch state {
	case http.StateNew:
		t.Accepted++
	case http.StateClosed:
		t.Closed++
	case http.StateHijacked:
		t.Connections[t.find(conn)].taken = true
	}
}

func (t *truth) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.mutex.Lock()
	r.Context().Value(key{}).(*connection).Requests++
	if r.ProtoMajor == 2 {
		t.HTTP2++
	}
	t.mutex.Unlock()
	number := func(name string) int64 {
		number, _ := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
		return number
	}
	if uploaded, err := io.Copy(io.Discard, r.Body); err != nil || uploaded != number("upload") {
		http.Error(w, "not the whole upload", http.StatusBadRequest)
		return
	}
	time.Sleep(time.Duration(number("delay")) * time.Millisecond)
	if number("close") == 1 {
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("Content-Length", strconv.FormatInt(number("body"), 10))
	w.Write(make([]byte, number("body")))
}

func (t *truth) isOver() bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.Closed == t.Accepted
}

// HTTP/2 in the clear, from clients who know or who ask for an Upgrade. It takes the connection from net/http, and comes
// back when that is over.
func (t *truth) inTheClear() http.Handler {
	handler := h2c.NewHandler(t, new(http2.Server))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		t.mutex.Lock()
		defer t.mutex.Unlock()
		if r.Context().Value(key{}).(*connection).taken {
			t.Closed++
		}
	})
}

func (t *truth) serve(listener net.Listener, w wish, certificate tls.Certificate) {
	server := http.Server{
		Handler:     t,
		ConnContext: t.begin,
		ConnState:   t.count,
		IdleTimeout: time.Duration(w.IdleMs) * time.Millisecond,
		ErrorLog:    log.New(io.Discard, "", 0),
	}
	if !w.HTTP2 {
		// Not nil and empty: only http/1.1 is chosen, whatever is offered.
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	if w.TLS == "" {
		if w.HTTP2 {
			server.Handler = t.inTheClear()
		}
		check(server.Serve(listener))
	}
	server.TLSConfig = &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   versions[w.TLS],
		MaxVersion:   versions[w.TLS],
	}
	check(server.ServeTLS(listener, "", ""))
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		// Java takes none without a name.
		Subject:  pkix.Name{CommonName: "localhost"},
		NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func say(what any) {
	check(json.NewEncoder(os.Stdout).Encode(what))
}

func main() {
	certificate := certificate()
	truths := []*truth{}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var w wish
		check(json.Unmarshal(lines.Bytes(), &w))
		listener, err := net.Listen("tcp", os.Args[1]+":0")
		check(err)
		truth := &truth{Connections: []*connection{}}
		truths = append(truths, truth)
		go truth.serve(listener, w, certificate)
		say(listener.Addr().String())
	}
	// What the clients left has to be accepted and seen to end first.
	time.Sleep(100 * time.Millisecond)
	end := time.Now().Add(5 * time.Second)
	for _, truth := range truths {
		for !truth.isOver() && time.Now().Before(end) {
			time.Sleep(10 * time.Millisecond)
		}
		truth.mutex.Lock()
	}
	say(truths)
}
