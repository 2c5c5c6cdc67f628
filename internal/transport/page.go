package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/mindtrace/registry/store"
)

// ErrEndless: an answer is longer than any that a server of objects gives.
var ErrEndless = errors.New("the answer does not end")

const (
	// maxPage is the length of an answer that is no object, in bytes. The
	// longest is a page of a thousand keys of 1024 bytes, of which each may be
	// escaped to three.
	maxPage = 8 << 20
	// maxElements is how many elements of XML or objects of JSON such an answer
	// has: a page has some forty thousand. Decoding makes hundreds of bytes of
	// each.
	maxElements = 100_000
	// maxRefusal is how much is read of a refusal, in bytes.
	maxRefusal = 64 << 10
)

type mediaKey struct{}

// Media returns a context for requests whose answer is an object: it may have
// store.MaxBody bytes, and any.
func Media(ctx context.Context) context.Context { return context.WithValue(ctx, mediaKey{}, true) }

func media(ctx context.Context) bool { return ctx.Value(mediaKey{}) != nil }

// limited returns a body that ends with ErrEndless where it gets too long.
func limited(body io.ReadCloser, media bool) io.ReadCloser {
	if media {
		return &limit{ReadCloser: body, bytes: store.MaxBody}
	}
	return &limit{ReadCloser: body, bytes: maxPage, elements: maxElements}
}

type limit struct {
	io.ReadCloser
	bytes    int64 // that may come yet
	elements int   // 0 for any
	opened   int
	err      error
}

// Read implements io.Reader.
func (l *limit) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	if int64(len(p)) > l.bytes+1 { // one more tells that there are more
		p = p[:l.bytes+1]
	}
	n, err := l.ReadCloser.Read(p)
	if l.bytes -= int64(n); l.bytes < 0 {
		n, l.err = n-1, fmt.Errorf("%w: it is longer than any that a registry asks for", ErrEndless)
	}
	if l.elements > 0 {
		l.opened += bytes.Count(p[:n], []byte("<")) + bytes.Count(p[:n], []byte("{"))
		if l.opened > l.elements {
			l.err = fmt.Errorf("%w: it has over %d elements, and no page of a listing has", ErrEndless, l.elements)
		}
	}
	if l.err != nil {
		return n, l.err
	}
	return n, err
}

// readRefusal reads what a refusal says, or as much of it as anybody wants to
// know.
func readRefusal(resp *http.Response) error {
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err != nil {
		return err
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(said)), int64(len(said))
	return nil
}
