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
		// The range begins at the end, or after it: there is nothing to return
		// but the Info, unless the object has grown since.
		if info, err = s.Stat(ctx, key); err != nil || info.Size <= o.Offset {
			return nil, info, err
		}
	}
}

// maxTorn is how often an answer of two states is asked for again.
const maxTorn = 10

// maxMutable is the size of objects that are looked at for being of one state:
// more than that of any that ever changes.
const maxMutable = 4 << 20

// oneState reports whether the bytes and the ETag of an answer belong
// together. With S3 itself and with MinIO they do; the Versity gateway may
// answer, while an object is replaced, with the ETag of the old one and the bytes of the
// new. Most servers' ETags are the MD5 of the body, which shows it; where that
// says nothing, as of a range, a second look does.
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
	if whole { // ETags are something else here: they are encrypted objects', for instance
		s.opaque.Store(true)
	}
	return true
}

// freshFor is how long after it was put an object may be listed in two states.
const freshFor = 3 * time.Second

// settled asks for a listed object until two answers are the same. The Versity
// gateway reads the size and the ETag of an entry one after the other, and the
// object may be replaced in between.
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

// get makes one request. The answer to a range past the end is returned as
// the client library gives it.
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
	// What is sent, and of how much; -1 for what the server did not say.
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
	if header.Get("Content-Range") == "" && (o.Offset > 0 || o.Length > 0) { // all of it came
		body = body[min(o.Offset, info.Size):]
		if o.Length > 0 {
			body = body[:min(o.Length, int64(len(body)))]
		}
	}
	return body, s.info(key, info, ex), nil
}

// readAll reads size bytes into buf, if that is large enough, or all there are
// if size is negative. There must not be more.
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

var errLonger = errors.New("the server sends more than it has announced")

// announced is how many bytes an answer has, and the object of which it is
// a part; -1 for what is not said. An answer with other bytes than those asked
// for is an error.
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
		return 0, 0, fmt.Errorf("the server sends other bytes than those asked for: %.100q, of length %d", contentRange, length)
	}
	return size, total, nil
}
