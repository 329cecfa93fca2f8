// The default Go client, which closes bodies unread or reads them to their end first. Options make it upload, present a
// certificate, resume sessions, use a proxy, send concurrent requests, use a client for each request, pause, or stay
// after its last answer.
package main

import (
	"bytes"
	"crypto/tls"
	"flag"
	"io"
	"log"
	"net/http"
	neturl "net/url"
	"sync"
	"time"
)

var versions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

func main() {
	url := flag.String("url", "", "URL to get")
	times := flag.Int("times", 10, "number of requests")
	read := flag.Bool("read", false, "read each body to its end before closing it")
	version := flag.String("tls", "", "1.2 or 1.3")
	http2 := flag.Bool("h2", false, "with TLS: offer HTTP/2")
	upload := flag.Int("upload", 0, "bytes to post with each request")
	expect := flag.Bool("expect", false, "wait for 100 Continue before an upload")
	certificate := flag.String("cert", "", "file with a client certificate and its key")
	alpn := flag.Bool("alpn", false, "offer http/1.1")
	proxy := flag.String("proxy", "", "URL of a proxy")
	sessions := flag.Bool("sessions", false, "request session tickets, and resume sessions with them")
	atOnce := flag.Int("at-once", 1, "number of concurrent requests; the next ones start when all of these are done")
	kept := flag.Int("kept", 0, "number of idle connections to keep, instead of Go's default")
	each := flag.Bool("each", false, "use a new client for each request")
	pause := flag.Duration("pause", 0, "pause after each answer")
	stay := flag.Duration("stay", 0, "time to stay after the last answer")
	flag.Parse()

	transport := http.DefaultTransport.(*http.Transport)
	transport.ExpectContinueTimeout = 5 * time.Second
	transport.MaxIdleConnsPerHost = *kept
	if *proxy != "" {
		address, err := neturl.Parse(*proxy)
		check(err)
		transport.Proxy = http.ProxyURL(address)
	}
	if *version != "" {
		transport.TLSClientConfig = &tls.Config{
			InsecureSkipVerify: true,
			MinVersion:         versions[*version],
			MaxVersion:         versions[*version],
		}
		if *certificate != "" {
			pair, err := tls.LoadX509KeyPair(*certificate, *certificate)
			check(err)
			transport.TLSClientConfig.Certificates = []tls.Certificate{pair}
		}
		if *alpn {
			transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
		}
		if *sessions {
			transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(10)
		}
		transport.ForceAttemptHTTP2 = *http2
		if !*http2 {
			transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		}
	}
	get := func() {
		client := http.DefaultClient
		if *each {
			client = &http.Client{Transport: transport.Clone()}
		}
		answer, err := client.Do(request(*url, *upload, *expect))
		check(err)
		if *read {
			_, err := io.Copy(io.Discard, answer.Body)
			check(err)
		}
		answer.Body.Close()
	}
	for i := 0; i < *times; i += *atOnce {
		together(*atOnce, get)
		time.Sleep(*pause)
	}
	time.Sleep(*stay)
}

func together(count int, act func()) {
	if count == 1 {
		act()
		return
	}
	var all sync.WaitGroup
	for i := 0; i < count; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			act()
		}()
	}
	all.Wait()
}

func request(url string, upload int, expect bool) *http.Request {
	method, body := http.MethodGet, io.Reader(nil)
	if upload > 0 {
		method, body = http.MethodPost, bytes.NewReader(make([]byte, upload))
	}
	request, err := http.NewRequest(method, url, body)
	check(err)
	if expect {
		request.Header.Set("Expect", "100-continue")
	}
	return request
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
