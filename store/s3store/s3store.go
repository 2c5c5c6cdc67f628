// Package s3store keeps a store in a bucket of AWS S3, MinIO or any server
// that speaks the S3 protocol and honours conditional puts (If-None-Match and
// If-Match).
//
// URLs: s3://bucket/prefix, with the options
//
//	region=eu-central-1      default: $AWS_REGION, the profile's, the bucket's
//	endpoint=http://h:9000   default: $AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL, AWS itself
//	profile=name             of the shared configuration; default: $AWS_PROFILE
//	anonymous=true           no credentials: public buckets
//	path_style=true          http://host/bucket/key, not http://bucket.host/key;
//	                         the default for IP addresses and single host names
//
// Credentials are looked for in the usual places, in the usual order: the
// environment, shared files and profiles (also of SSO and of processes), web
// identity, container and instance roles. They are renewed before they
// expire. They are never part of a URL.
//
// # How it keeps the contract
//
//   - Every put is one request, conditional, never multipart (whose condition
//     is checked too late) and never retried here: a second try of a put whose
//     answer got lost would be told that it lost against itself.
//   - The token is the ETag. Where it is a hash of the body, bodies that can
//     change carry a nonce.
//   - The body's CRC-32C goes with it, and the server refuses others.
//   - Time is read from the Date of each answer.
package s3store

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/mindtrace/registry/store"
)

// Store is a store in a bucket.
type Store struct {
	core     minio.Core
	bucket   string
	prefix   string // empty, or ends in a slash
	region   string
	endpoint endpoint
	account  account
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	if err := check(ctx, key); err != nil {
		return nil, store.Info{}, err
	}
	var opts minio.GetObjectOptions
	var buf []byte
	if o != nil {
		buf = o.Buffer
		if err := setRange(&opts, o); err != nil {
			return nil, store.Info{}, err
		}
	}
	ctx, ex := watch(ctx)
	body, info, header, err := s.core.GetObject(ctx, s.bucket, s.prefix+key, opts)
	if err != nil {
		if minio.ToErrorResponse(err).StatusCode == http.StatusRequestedRangeNotSatisfiable {
			info, err := s.Stat(ctx, key)
			return nil, info, err
		}
		return nil, store.Info{Now: ex.date}, s.readError("get", key, err, ex)
	}
	defer body.Close()
	out := store.Info{
		Key: key, Size: info.Size, Token: store.Token(info.ETag), Modified: info.LastModified.UTC(), Now: ex.date,
	}
	n := info.Size // of what is sent
	if total, ok := totalSize(header.Get("Content-Range")); ok {
		out.Size = total
	}
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(body, buf); err != nil {
		return nil, store.Info{Now: ex.date}, s.readError("get", key, fmt.Errorf("the body ends early: %w", err), ex)
	}
	return buf, out, nil
}

func setRange(opts *minio.GetObjectOptions, o *store.GetOptions) error {
	switch {
	case o.Length > 0:
		return opts.SetRange(o.Offset, o.Offset+o.Length-1)
	case o.Offset > 0:
		return opts.SetRange(o.Offset, 0) // to the end
	}
	return nil
}

// totalSize reads the size of the whole object from "bytes 0-9/100".
func totalSize(contentRange string) (int64, bool) {
	_, total, ok := strings.Cut(contentRange, "/")
	n, err := strconv.ParseInt(total, 10, 64)
	return n, ok && err == nil
}

// Stat implements store.Store.
func (s *Store) Stat(ctx context.Context, key string) (store.Info, error) {
	if err := check(ctx, key); err != nil {
		return store.Info{}, err
	}
	ctx, ex := watch(ctx)
	info, err := s.core.Client.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return store.Info{Now: ex.date}, s.readError("stat", key, err, ex)
	}
	return store.Info{
		Key: key, Size: info.Size, Token: store.Token(info.ETag), Modified: info.LastModified.UTC(), Now: ex.date,
	}, nil
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if err := check(ctx, key); err != nil {
		return store.Info{}, err
	}
	if len(body) > store.MaxBody {
		return store.Info{}, fmt.Errorf("put %s: %d bytes, the limit is %d", key, len(body), store.MaxBody)
	}
	opts := minio.PutObjectOptions{
		DisableMultipart:     true,
		DisableContentSha256: true, // the checksum protects the body, at a tenth of the cost
		UserMetadata:         map[string]string{"x-amz-checksum-crc32c": checksum(body)},
		ContentType:          "application/octet-stream",
		CacheControl:         "no-store",
	}
	if match == store.Absent {
		opts.SetMatchETagExcept("*")
	} else {
		opts.SetMatchETag(string(match))
	}
	ctx, ex := watch(ctx)
	info, err := s.core.Client.PutObject(ctx, s.bucket, s.prefix+key, bytes.NewReader(body), int64(len(body)), opts)
	if err != nil {
		return store.Info{Now: ex.date}, s.writeError("put", key, err, ex, match)
	}
	return store.Info{
		Key: key, Size: int64(len(body)), Token: store.Token(info.ETag), Modified: ex.date, Now: ex.date,
	}, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(body []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, castagnoli)))
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	ctx, ex := watch(ctx)
	err := s.core.Client.RemoveObject(ctx, s.bucket, s.prefix+key, minio.RemoveObjectOptions{})
	if err != nil && minio.ToErrorResponse(err).Code != minio.NoSuchKey {
		return s.writeError("delete", key, err, ex, "")
	}
	return nil
}

// List implements store.Store. A page has a thousand keys.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(store.Info{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ctx, ex := watch(ctx)
		opts := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true}
		if after != "" {
			opts.StartAfter = s.prefix + after
		}
		last := after
		for o := range s.core.Client.ListObjectsIter(ctx, s.bucket, opts) {
			if o.Err != nil {
				yield(store.Info{}, s.readError("list", prefix, o.Err, ex))
				return
			}
			key := strings.TrimPrefix(o.Key, s.prefix)
			if key <= last && last != "" {
				yield(store.Info{}, fmt.Errorf("list %s: %w: %q comes after %q", prefix, errUnordered, key, last))
				return
			}
			last = key
			if store.ValidKey(key) != nil {
				continue // not ours
			}
			if !yield(store.Info{
				Key: key, Size: o.Size, Token: store.Token(o.ETag), Modified: o.LastModified.UTC(), Now: ex.date,
			}, nil) {
				return
			}
		}
	}
}

var errUnordered = errors.New("this store does not list keys in order (an S3 directory bucket?), which a registry needs")

// Now implements store.Store: the Date of an answer about the bucket.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	// A key that is no key of a store: the answer is always the same.
	ctx, ex := watch(ctx)
	_, err := s.core.Client.StatObject(ctx, s.bucket, s.prefix+".now", minio.StatObjectOptions{})
	if !ex.date.IsZero() && (err == nil || minio.ToErrorResponse(err).StatusCode == http.StatusNotFound) {
		return ex.date, nil
	}
	return time.Time{}, s.readError("time", s.bucket, err, ex)
}

// MakeBucket creates the bucket if it does not exist.
func (s *Store) MakeBucket(ctx context.Context) error {
	ctx, ex := watch(ctx)
	err := s.core.Client.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: s.region})
	switch minio.ToErrorResponse(err).Code {
	case "BucketAlreadyOwnedByYou":
		return nil
	}
	if err != nil {
		return s.writeError("create bucket", s.bucket, err, ex, "")
	}
	return nil
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.ValidKey(key)
}
