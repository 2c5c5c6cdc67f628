package s3store

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/mindtrace/registry/internal/transport"
	"github.com/mindtrace/registry/store"
)

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	if err := check(ctx, key); err != nil {
		return nil, store.Info{}, err
	}
	if o == nil {
		o = &store.GetOptions{}
	}
	for try := 1; ; try++ {
		body, info, err := s.get(ctx, key, o)
		if err == nil && try <= maxTorn && !s.oneState(ctx, key, body, info) {
			continue
		}
		if minio.ToErrorResponse(err).StatusCode != http.StatusRequestedRangeNotSatisfiable {
			return body, info, err
		}
		// The range begins at the end or behind it. There are no bytes to
		// return, only the Info, unless the object has grown meanwhile.
		if info, err = s.Stat(ctx, key); err != nil || info.Size <= o.Offset {
			return nil, info, err
		}
	}
}

// maxTorn is how often a Get is repeated whose answer mixes two states.
const maxTorn = 10

// maxMutable is the size up to which answers are checked for being of one
// state. Objects that change are always smaller.
const maxMutable = 4 << 20

// oneState reports whether the bytes and the ETag of an answer belong
// together. On S3 itself and on MinIO they always do. While an object is
// replaced, the Versity gateway may answer with the ETag of the old state and
// the bytes of the new one. On most servers the ETag is the MD5 of the body,
// which oneState compares. Where it cannot, as for a range, it looks at the
// object again.
func (s *Store) oneState(ctx context.Context, key string, body []byte, info store.Info) bool {
	whole := int64(len(body)) == info.Size
	if info.Size > maxMutable || whole && (s.opaque.Load() || len(info.Token) != 2*md5.Size) {
		return true
	}
	if whole && store.Token(fmt.Sprintf("%x", md5.Sum(body))) == info.Token {
		return true
	}
	now, err := s.Stat(ctx, key)
	if err != nil || now.Token != info.Token {
		return err != nil
	}
	if whole { // this server's ETags are not MD5, for instance because it encrypts
		s.opaque.Store(true)
	}
	return true
}

// freshFor is how long after a put a listing may mix two states of an object.
const freshFor = 3 * time.Second

// settled asks for a listed object until two answers agree. The Versity gateway
// reads the size and the ETag of an entry one after the other, and the object
// may be replaced in between.
func (s *Store) settled(ctx context.Context, info store.Info) (store.Info, error) {
	for range maxTorn {
		now, err := s.Stat(ctx, info.Key)
		if err != nil || now.Token == info.Token && now.Size == info.Size {
			return info, err
		}
		info = now
	}
	return info, nil
}

// get makes one request. For a range past the end, it returns the error of the
// client library.
func (s *Store) get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	var opts minio.GetObjectOptions
	var err error
	switch {
	case o.Length > 0:
		err = opts.SetRange(o.Offset, o.Offset+o.Length-1)
	case o.Offset > 0:
		err = opts.SetRange(o.Offset, 0) // to the end
	}
	if err != nil {
		return nil, store.Info{}, fmt.Errorf("get %s: %w", key, err)
	}
	ctx, ex := observe(transport.Media(ctx))
	r, info, header, err := s.core.GetObject(ctx, s.bucket, s.prefix+key, opts)
	if minio.ToErrorResponse(err).StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return nil, store.Info{}, err
	}
	if err != nil {
		return nil, store.Info{Now: ex.date}, s.readError(ctx, "get", key, err, ex)
	}
	defer r.Close()
	if ex.foreign {
		return nil, store.Info{Now: ex.date}, s.foreign("get", key, ex, nil)
	}
	// The bytes of the answer and of the object; -1 if unknown.
	size, total, err := announced(info.Size, header.Get("Content-Range"), o)
	if err != nil {
		return nil, store.Info{Now: ex.date}, fmt.Errorf("get %s: %w", key, err)
	}
	if err := o.TooMany(key, size); err != nil {
		return nil, store.Info{Now: ex.date}, err
	}
	body, err := readAll(r, size, o.Buffer)
	switch {
	case size < 0 && errors.Is(err, transport.ErrEndless):
		return nil, store.Info{Now: ex.date}, fmt.Errorf("get %s: %w: %w", key, store.ErrTooLarge, err)
	case errors.Is(err, errLonger):
		return nil, store.Info{Now: ex.date}, fmt.Errorf("get %s: %w", key, err)
	case err != nil:
		return nil, store.Info{Now: ex.date}, s.readError(ctx, "get", key, fmt.Errorf("reading the body: %w", err), ex)
	}
	if info.Size = total; total < 0 {
		info.Size = int64(len(body))
	}
	if header.Get("Content-Range") == "" && (o.Offset > 0 || o.Length > 0) { // the whole object came
		body = body[min(o.Offset, info.Size):]
		if o.Length > 0 {
			body = body[:min(o.Length, int64(len(body)))]
		}
	}
	return body, s.info(key, info, ex), nil
}

// readAll reads size bytes, or all bytes if size is negative, into buf if that
// is large enough. It is an error if more bytes follow.
func readAll(r io.Reader, size int64, buf []byte) ([]byte, error) {
	if size < 0 {
		return io.ReadAll(r)
	}
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if _, err := io.ReadFull(r, buf); err != nil {
		return buf, err
	}
	if n, _ := io.ReadFull(r, make([]byte, 1)); n > 0 {
		return buf, errLonger
	}
	return buf, nil
}

var errLonger = errors.New("the server sends more bytes than it announced")

// announced returns the size of an answer and that of the object, from the
// headers; -1 means unknown. An answer with other bytes than the requested ones
// is an error.
func announced(length int64, contentRange string, o *store.GetOptions) (size, total int64, err error) {
	if contentRange == "" {
		return length, length, nil
	}
	var first, last int64
	if _, err := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &first, &last, &total); err != nil {
		return 0, 0, fmt.Errorf("the server's Content-Range is %.100q", contentRange)
	}
	size = last - first + 1
	if first != o.Offset || size < 0 || last >= total || o.Length > 0 && size > o.Length || length >= 0 && length != size {
		return 0, 0, fmt.Errorf("the server sends other bytes than the requested ones: %.100q, of length %d", contentRange, length)
	}
	return size, total, nil
}
