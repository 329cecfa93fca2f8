// An HTTP server that counts independently: connections as net/http sees them begin and end, and requests handled.
//
// It prints its port as a line of JSON, serves until its standard input is closed, and prints its counts.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

var versions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

var connections, closed, requests int64

func count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		atomic.AddInt64(&connections, 1)
	case http.StateClosed:
		atomic.AddInt64(&closed, 1)
	}
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost"},
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

func say(what map[string]int64) {
	check(json.NewEncoder(os.Stdout).Encode(what))
}

func main() {
	address := flag.String("address", "127.0.0.1:0", "address to listen on")
	size := flag.Int("body", 16, "size of each answer in bytes")
	version := flag.String("tls", "", "1.2 or 1.3; plain HTTP without it")
	http2 := flag.Bool("h2", false, "with TLS: HTTP/2 for clients that offer it")
	authenticate := flag.Bool("client-cert", false, "require a client certificate, of any issuer")
	hold := flag.Duration("hold", 0, "time that each request takes")
	retry := flag.Bool("retry", false, "accept only a curve that no client tries first: a HelloRetryRequest in TLS 1.3")
	flag.Parse()

	body := make([]byte, *size)
	answer := func(w http.ResponseWriter, r *http.Request) {
		atomic.AddInt64(&requests, 1)
		io.Copy(io.Discard, r.Body)
		time.Sleep(*hold)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}
	server := http.Server{
		Handler:   http.HandlerFunc(answer),
		ConnState: count,
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	if !*http2 {
		// A map that is empty but not nil turns HTTP/2 off.
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	listener, err := net.Listen("tcp", *address)
	check(err)
	say(map[string]int64{"port": int64(listener.Addr().(*net.TCPAddr).Port)})
	if *version != "" {
		server.TLSConfig = &tls.Config{
			Certificates: []tls.Certificate{certificate()},
			MinVersion:   versions[*version],
			MaxVersion:   versions[*version],
		}
		if *authenticate {
			server.TLSConfig.ClientAuth = tls.RequireAnyClientCert
		}
		if *retry {
			server.TLSConfig.CurvePreferences = []tls.CurveID{tls.CurveP384}
		}
		go server.ServeTLS(listener, "", "")
	} else {
		go server.Serve(listener)
	}

	io.Copy(io.Discard, os.Stdin)
	// Waits until all connections of the clients have been accepted and have ended.
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		before := atomic.LoadInt64(&connections)
		time.Sleep(50 * time.Millisecond)
		if after := atomic.LoadInt64(&connections); after == before && after == atomic.LoadInt64(&closed) {
			break
		}
	}
	say(map[string]int64{
		"connections": atomic.LoadInt64(&connections),
		"closed":      atomic.LoadInt64(&closed),
		"requests":    atomic.LoadInt64(&requests),
	})
}
