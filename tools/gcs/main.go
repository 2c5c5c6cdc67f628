// Command gcs is a server of Google Cloud Storage's JSON API, for tests. It is
// fake-gcs-server with everything in memory, made strict (see strict.go), and
// with a journal of what changes, so that what it has acknowledged survives a
// kill -9 (see journal.go).
//
//	gcs -dir DIRECTORY [-addr 127.0.0.1:4443] [-bucket NAME]... [-limit]
package main

import (
	"flag"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

func main() {
	log.SetFlags(0)
	addr := flag.String("addr", "127.0.0.1:0", "`host:port` to listen on; port 0 picks a free one")
	dir := flag.String("dir", "", "keep everything in this `directory`, and begin with what it holds")
	limit := flag.Bool("limit", false, "refuse more than one write a second to one object, as Google does")
	var buckets []string
	flag.Func("bucket", "create the bucket `name`; may be repeated", func(name string) error {
		buckets = append(buckets, name)
		return nil
	})
	flag.Parse()
	if *dir == "" {
		log.Fatal("say where to keep things, with -dir")
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	j, kept, err := openJournal(*dir)
	if err != nil {
		log.Fatal(err)
	}
	at := l.Addr().String()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		InitialObjects: slices.Collect(maps.Values(kept.objects)),
		NoListener:     true, Scheme: "http",
		PublicHost: at, ExternalURL: "http://" + at, // reads are not found without them
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range slices.AppendSeq(buckets, maps.Keys(kept.buckets)) {
		server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: name})
	}
	fmt.Printf("http://%s\n", at) // whoever started it may connect now
	log.Fatal(http.Serve(l, newStrict(server, *limit, j, kept.last)))
}
