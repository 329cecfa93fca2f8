// A client of the matrix with Go's net/http: "http1" speaks HTTP/1.1, "http2" offers HTTP/2 as well and speaks it from
// the start in the clear.
//
// Each line on standard input is a cell, which gets a transport of its own. For each cell, the program prints how many
// requests succeeded.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

type cell struct {
	url                     string
	times, atOnce           int
	length, upload, pauseMs int64
	read, chunked           bool
}

func client(url, kind string) *http.Client {
	unverified := &tls.Config{InsecureSkipVerify: true}
	if kind == "http2" && strings.HasPrefix(url, "http:") {
		dial := func(ctx context.Context, network, address string, _ *tls.Config) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		return &http.Client{Transport: &http2.Transport{AllowHTTP: true, DialTLSContext: dial}}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = unverified
	if kind == "http1" {
		transport.ForceAttemptHTTP2 = false
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	return &http.Client{Transport: transport}
}

func (c cell) request(client *http.Client) error {
	method, body := http.MethodGet, io.Reader(nil)
	if c.upload > 0 {
		method, body = http.MethodPost, bytes.NewReader(make([]byte, c.upload))
	}
	if c.chunked {
		// net/http does not know the length of a MultiReader, so it sends chunks.
		body = io.MultiReader(body)
	}
	request, err := http.NewRequest(method, c.url, body)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	if !c.read {
		return nil
	}
	length, err := io.Copy(io.Discard, answer.Body)
	if err == nil && length != c.length {
		err = fmt.Errorf("%d bytes of %d", length, c.length)
	}
	return err
}

func (c cell) run(client *http.Client) {
	for round := 0; round < c.times/c.atOnce; round++ {
		if c.pauseMs > 0 && round == c.times/c.atOnce/2 {
			time.Sleep(time.Duration(c.pauseMs) * time.Millisecond)
		}
		var group sync.WaitGroup
		for i := 0; i < c.atOnce; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				if err := c.request(client); err != nil {
					log.Fatal(c.url, ": ", err)
				}
			}()
		}
		group.Wait()
	}
}

func main() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var c cell
		_, err := fmt.Sscan(lines.Text(), &c.url, &c.times, &c.atOnce, &c.length, &c.read, &c.upload, &c.chunked, &c.pauseMs)
		if err != nil {
			log.Fatal(err)
		}
		c.run(client(c.url, os.Args[1]))
		fmt.Println(c.times)
	}
}
