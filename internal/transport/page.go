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

// ErrEndless: an answer is longer than any answer of an object store.
var ErrEndless = errors.New("the answer does not end")

const (
	// maxPage is the largest size of an answer that is not an object, in bytes.
	// The longest is a page of a thousand keys of 1024 bytes, each of which may
	// be escaped to three.
	maxPage = 8 << 20
	// maxElements limits the elements of XML or objects of JSON in that answer.
	// A page has about forty thousand. Decoding takes hundreds of bytes of
	// memory for each.
	maxElements = 100_000
	// maxRefusal is how much is read of a refusal, in bytes.
	maxRefusal = 64 << 10
)

type mediaKey struct{}

// Media returns a context for requests whose answer is an object: it may have
// up to store.MaxBody bytes of any kind.
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
	bytes    int64 // that may still come
	elements int   // 0: no limit
	opened   int
	err      error
}

// Read implements io.Reader.
func (l *limit) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	if int64(len(p)) > l.bytes+1 { // one more byte shows that the answer is too long
		p = p[:l.bytes+1]
	}
	n, err := l.ReadCloser.Read(p)
	if l.bytes -= int64(n); l.bytes < 0 {
		n, l.err = n-1, fmt.Errorf("%w: it is longer than any answer that a registry needs", ErrEndless)
	}
	if l.elements > 0 {
		l.opened += bytes.Count(p[:n], []byte("<")) + bytes.Count(p[:n], []byte("{"))
		if l.opened > l.elements {
			l.err = fmt.Errorf("%w: it has over %d elements, more than any page of a listing", ErrEndless, l.elements)
		}
	}
	if l.err != nil {
		return n, l.err
	}
	return n, err
}

// readRefusal reads the body of a refusal, up to maxRefusal bytes.
func readRefusal(resp *http.Response) error {
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err != nil {
		return err
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(said)), int64(len(said))
	return nil
}
