package s3store

import (
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

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
	ctx, ex := observe(ctx)
	r, info, header, err := s.core.GetObject(ctx, s.bucket, s.prefix+key, opts)
	if minio.ToErrorResponse(err).StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return nil, store.Info{}, err
	}
	if err != nil {
		return nil, store.Info{Now: ex.date}, s.readError(ctx, "get", key, err, ex)
	}
	defer r.Close()
	size := info.Size // of what is sent; -1 if the server did not say
	if err := o.TooMany(key, size); err != nil {
		return nil, store.Info{Now: ex.date}, err
	}
	body, err := readAll(r, size, o.Buffer)
	if err != nil {
		return nil, store.Info{Now: ex.date}, s.readError(ctx, "get", key, fmt.Errorf("reading the body: %w", err), ex)
	}
	info.Size = int64(len(body))
	if total, ok := totalSize(header.Get("Content-Range")); ok {
		info.Size = total
	} else if o.Offset > 0 || o.Length > 0 { // all of it came
		body = body[min(o.Offset, info.Size):]
		if o.Length > 0 {
			body = body[:min(o.Length, int64(len(body)))]
		}
	}
	return body, s.info(key, info, ex), nil
}

// readAll reads size bytes into buf, if that is large enough.
func readAll(r io.Reader, size int64, buf []byte) ([]byte, error) {
	if size < 0 {
		return io.ReadAll(io.LimitReader(r, store.MaxBody))
	}
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	_, err := io.ReadFull(r, buf)
	return buf, err
}

// totalSize reads the size of the whole object from "bytes 0-9/100".
func totalSize(contentRange string) (int64, bool) {
	_, total, ok := strings.Cut(contentRange, "/")
	n, err := strconv.ParseInt(total, 10, 64)
	return n, ok && err == nil
}
