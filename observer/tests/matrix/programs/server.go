// The server of the matrix. It has a listener for each cell, and counts the requests that the handler gets on each
// connection.
//
// Each line of JSON on standard input configures a listener, and the server prints the listener's address. At the end of
// standard input it prints the counts of all listeners.
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

// The configuration of a listener.
type config struct {
	// Empty for HTTP in the clear.
	TLS   string `json:"tls"`
	HTTP2 bool   `json:"http2"`
	// Idle timeout of connections; 0 for none.
	IdleMs int `json:"idle_ms"`
}

type connection struct {
	Client   string `json:"client"`
	Requests int    `json:"requests"`
	// Handed over by net/http.
	hijacked bool
}

// The counts of a listener.
type truth struct {
	mutex sync.Mutex
	// Counted by the ConnState hook.
	Accepted int `json:"accepted"`
	Closed   int `json:"closed"`
	// Requests over HTTP/2.
	HTTP2       int           `json:"http2"`
	Connections []*connection `json:"connections"`
}

type key struct{}

func (t *truth) trackConnection(ctx context.Context, conn net.Conn) context.Context {
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

func (t *truth) trackState(conn net.Conn, state http.ConnState) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	switch state {
	case http.StateNew:
		t.Accepted++
	case http.StateClosed:
		t.Closed++
	case http.StateHijacked:
		t.Connections[t.find(conn)].hijacked = true
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
		http.Error(w, "the upload is incomplete", http.StatusBadRequest)
		return
	}
	time.Sleep(time.Duration(number("delay")) * time.Millisecond)
	if number("close") == 1 {
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("Content-Length", strconv.FormatInt(number("body"), 10))
	w.Write(make([]byte, number("body")))
}

func (t *truth) allClosed() bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.Closed == t.Accepted
}

// HTTP/2 in the clear, with prior knowledge or after an Upgrade. The handler hijacks the connection from net/http and
// returns when the connection is closed.
func (t *truth) h2cHandler() http.Handler {
	handler := h2c.NewHandler(t, new(http2.Server))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		t.mutex.Lock()
		defer t.mutex.Unlock()
		if r.Context().Value(key{}).(*connection).hijacked {
			t.Closed++
		}
	})
}

func (t *truth) serve(listener net.Listener, c config, certificate tls.Certificate) {
	server := http.Server{
		Handler:     t,
		ConnContext: t.trackConnection,
		ConnState:   t.trackState,
		IdleTimeout: time.Duration(c.IdleMs) * time.Millisecond,
		ErrorLog:    log.New(io.Discard, "", 0),
	}
	if !c.HTTP2 {
		// An empty map that is not nil disables HTTP/2.
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	if c.TLS == "" {
		if c.HTTP2 {
			server.Handler = t.h2cHandler()
		}
		check(server.Serve(listener))
	}
	server.TLSConfig = &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   versions[c.TLS],
		MaxVersion:   versions[c.TLS],
	}
	check(server.ServeTLS(listener, "", ""))
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		// Java rejects a certificate without a name.
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

func printJSON(value any) {
	check(json.NewEncoder(os.Stdout).Encode(value))
}

func main() {
	certificate := certificate()
	truths := []*truth{}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var c config
		check(json.Unmarshal(lines.Bytes(), &c))
		listener, err := net.Listen("tcp", os.Args[1]+":0")
		check(err)
		truth := &truth{Connections: []*connection{}}
		truths = append(truths, truth)
		go truth.serve(listener, c, certificate)
		printJSON(listener.Addr().String())
	}
	// Wait for the last connections of the clients to be accepted and closed.
	time.Sleep(100 * time.Millisecond)
	end := time.Now().Add(5 * time.Second)
	for _, truth := range truths {
		for !truth.allClosed() && time.Now().Before(end) {
			time.Sleep(10 * time.Millisecond)
		}
		truth.mutex.Lock()
	}
	printJSON(truths)
}
