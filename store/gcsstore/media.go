package gcsstore

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mindtrace/registry/store"
)

// media is the content of the headers of an answer that carries bytes.
type media struct {
	token    store.Token
	size     int64     // of the object
	offset   int64     // of the bytes sent
	length   int64     // of the bytes sent
	modified time.Time // zero if unknown
}

func parseMedia(resp *http.Response) (media, error) {
	var m media
	h := resp.Header
	generation, err := strconv.ParseInt(h.Get("X-Goog-Generation"), 10, 64)
	if err != nil || generation <= 0 {
		return m, errors.New("this is not an answer of Cloud Storage: it has no X-Goog-Generation; check the endpoint and proxies")
	}
	m.token = tokenOf(generation)
	m.length = resp.ContentLength
	switch resp.StatusCode {
	case http.StatusPartialContent:
		var last int64
		r := h.Get("Content-Range")
		if _, err := fmt.Sscanf(r, "bytes %d-%d/%d", &m.offset, &last, &m.size); err != nil {
			return m, fmt.Errorf("the server's Content-Range is %q", r)
		}
		m.length = last - m.offset + 1
	case http.StatusOK:
		// An object with a content encoding has no Content-Length.
		if n, err := strconv.ParseInt(h.Get("X-Goog-Stored-Content-Length"), 10, 64); err == nil && m.length < 0 {
			m.length = n
		}
		m.size = m.length
	default:
		return m, fmt.Errorf("the server answered with status %d", resp.StatusCode)
	}
	switch {
	case m.length < 0:
		return m, errors.New("the server does not say how many bytes it sends")
	case m.length > store.MaxBody:
		return m, fmt.Errorf("%w: the server says it sends %d bytes; every object of a store is smaller", store.ErrTooLarge, m.length)
	}
	// Last-Modified changes with the metadata. If these are the first, it is
	// the time of creation.
	if mg := h.Get("X-Goog-Metageneration"); mg == "" || mg == "1" {
		if at, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
			m.modified = at.UTC()
		}
	}
	return m, nil
}

var errAltered = errors.New("the bytes received are not those stored: their checksum differs")

// checkCRC compares a whole body with the checksum that came with it.
func checkCRC(h http.Header, body []byte) error {
	for _, line := range h.Values("X-Goog-Hash") {
		for part := range strings.SplitSeq(line, ",") {
			if sum, ok := strings.CutPrefix(strings.TrimSpace(part), "crc32c="); ok {
				if got := store.CRC32C(body); got != sum {
					return fmt.Errorf("%w (CRC-32C %s, stored with %s); if this happens again, a proxy or the network damages data", errAltered, got, sum)
				}
				return nil
			}
		}
	}
	return nil
}

// borrowed reads a body that belongs to the caller of Put. The caller may
// change the body as soon as Put returns. The HTTP transport may still be
// sending then, if the server answered early or the call was cancelled; it
// gets no more bytes.
//
// The client library cannot rewind this type, so it cannot repeat the request.
type borrowed struct {
	mu       sync.Mutex
	b        []byte
	returned bool
}

func (r *borrowed) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.returned:
		return 0, errors.New("the put has ended")
	case len(r.b) == 0:
		return 0, io.EOF
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}

func (r *borrowed) giveBack() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.returned, r.b = true, nil
}
