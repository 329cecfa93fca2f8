// The client of the story: the default transport, and bodies that are closed unread, or read to their end first.
package main

import (
	"crypto/tls"
	"flag"
	"io"
	"log"
	"net/http"
)

var versions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

func main() {
	url := flag.String("url", "", "what to get")
	times := flag.Int("times", 10, "how often")
	read := flag.Bool("read", false, "read each body to its end before closing it")
	version := flag.String("tls", "", "1.2 or 1.3")
	flag.Parse()

	client := http.DefaultClient
	if *version != "" {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{
			InsecureSkipVerify: true,
			MinVersion:         versions[*version],
			MaxVersion:         versions[*version],
		}
		transport.ForceAttemptHTTP2 = false
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		client = &http.Client{Transport: transport}
	}
	for i := 0; i < *times; i++ {
		answer, err := client.Get(*url)
		if err != nil {
			log.Fatal(err)
		}
		if *read {
			if _, err := io.Copy(io.Discard, answer.Body); err != nil {
				log.Fatal(err)
			}
		}
		answer.Body.Close()
	}
}
