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
//	                         the default for all servers but AWS
//
// Credentials come from the usual places, in the usual order: the environment,
// shared files and profiles (also of SSO and of processes), web identity,
// container and instance roles. They are renewed before they expire. They are
// never part of a URL. White space at the ends of all settings is dropped.
//
// A request that makes no progress for 20 s ends with an error that is
// store.ErrStalled.
//
// # How it keeps the contract
//
//   - Every put is one conditional request. It is never multipart, since the
//     condition would be checked too late. It is never repeated here: if the
//     answer of a put got lost, a second try would fail its precondition
//     because of the first.
//   - The token is the ETag. Where that is a hash of the body, a state could
//     come back; so every body that can change carries a nonce.
//   - The body's CRC-32C is sent along, and the server refuses a body that does
//     not match it.
//   - Some servers take an ETag in If-Match only without quotes, or list by
//     path component. The store finds that out by their behaviour: see swap
//     and sorter.
//   - Time is the Date of an answer.
//
// # Files of this package
//
//	s3store.go   Store: Stat, Put, Delete, List, Keys, Now
//	get.go       Get, and answers that mix two states
//	swap.go      how a server wants the ETag of If-Match
//	order.go     listing in the order of bytes on every server
//	progress.go  listings whose pages do not end
//	options.go   Options, New, the URL
//	account.go   where credentials come from; clean.go: white space in them
//	errors.go    answers of the server as errors of package store, with remedies
//	exchange.go  what happens to a call below the client library
//	bucket.go    MakeBucket, Describe
//	inspect.go   settings of the bucket that would hurt a registry, for doctor
package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/mindtrace/registry/internal/transport"
	"github.com/mindtrace/registry/store"
)

// Store is a store in a bucket.
type Store struct {
	core     minio.Core
	creds    *credentials.Credentials
	bucket   string
	prefix   string // empty, or ends in a slash
	region   string
	endpoint endpoint
	account  account
	server   transport.Server // for errors

	pathStyle bool // see Options

	opaque  atomic.Bool  // ETags are not the MD5 of the body
	versity atomic.Bool  // the server is the Versity gateway: see settled
	quoting atomic.Int32 // a quoting: see swap
	order   atomic.Int32 // an order: see sorter
	known   atomic.Bool  // the server's name is one of those that list by bytes
}

// info turns the server's description of an object into an Info. Modified is
// cut to seconds: a header has no finer time, and listings have to agree with
// it.
func (s *Store) info(key string, o minio.ObjectInfo, ex *exchange) store.Info {
	return store.Info{
		Key: key, Size: o.Size, Token: store.Token(o.ETag), Modified: o.LastModified.UTC().Truncate(time.Second), Now: ex.date,
	}
}

// Stat implements store.Store.
func (s *Store) Stat(ctx context.Context, key string) (store.Info, error) {
	if err := check(ctx, key); err != nil {
		return store.Info{}, err
	}
	ctx, ex := observe(ctx)
	info, err := s.core.Client.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{Checksum: true})
	if err != nil {
		return store.Info{Now: ex.date}, s.readError(ctx, "stat", key, err, ex)
	}
	out := s.info(key, info, ex)
	out.CRC32C = info.ChecksumCRC32C
	return out, nil
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if err := check(ctx, key); err != nil {
		return store.Info{}, err
	}
	if len(body) > store.MaxBody {
		return store.Info{}, fmt.Errorf("put %s: %d bytes, the limit is %d", key, len(body), store.MaxBody)
	}
	if match == store.Absent {
		return s.put(ctx, key, body, ifMatch{})
	}
	return s.swap(ctx, key, body, match)
}

// put makes one request. Without a token the key must be absent.
func (s *Store) put(ctx context.Context, key string, body []byte, match ifMatch) (store.Info, error) {
	opts := minio.PutObjectOptions{
		DisableMultipart:     true, // a multipart upload ignores the condition
		DisableContentSha256: true, // the checksum protects the body, at a tenth of the cost
		UserMetadata:         map[string]string{"x-amz-checksum-crc32c": store.CRC32C(body)},
		ContentType:          "application/octet-stream",
		CacheControl:         "no-store",
	}
	if match.token == store.Absent {
		opts.SetMatchETagExcept("*")
	} else {
		opts.ServerSideEncryption = match
	}
	ctx, ex := observe(ctx)
	info, err := s.core.Client.PutObject(ctx, s.bucket, s.prefix+key, bytes.NewReader(body), int64(len(body)), opts)
	if err != nil {
		return store.Info{Now: ex.date}, s.writeError(ctx, "put", key, err, ex, match.token)
	}
	if ex.foreign {
		return store.Info{Now: ex.date}, s.foreign("put", key, ex, store.ErrUnknown)
	}
	if info.ETag == "" {
		return store.Info{Now: ex.date}, fmt.Errorf("put %s: %w: %s sent no ETag, which a registry needs", key, store.ErrUnknown, s.endpoint.url())
	}
	return store.Info{
		Key: key, Size: int64(len(body)), Token: store.Token(info.ETag), Modified: ex.date, Now: ex.date,
	}, nil
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	ctx, ex := observe(ctx)
	err := s.core.Client.RemoveObject(ctx, s.bucket, s.prefix+key, minio.RemoveObjectOptions{})
	if err != nil && !absent(minio.ToErrorResponse(err)) {
		return s.writeError(ctx, "delete", key, err, ex, "")
	}
	if ex.foreign {
		return s.foreign("delete", key, ex, nil)
	}
	return nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for info, err := range s.sorted(ctx, prefix, after) {
			if err == nil && s.versity.Load() && info.Now.Sub(info.Modified) < freshFor {
				if info, err = s.settled(ctx, info); errors.Is(err, store.ErrNotExist) {
					continue // deleted meanwhile
				}
			}
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}

// Keys implements store.KeyLister. Unlike List, it need not check that the
// entries are of one state.
func (s *Store) Keys(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for info, err := range s.sorted(ctx, prefix, after) {
			if !yield(info.Key, err) || err != nil {
				return
			}
		}
	}
}

// pages lists in the order of the server, in pages of a thousand keys. The
// first page has as many keys as the caller expects.
func (s *Store) pages(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	first := store.Expected(ctx)
	if first <= 0 || first >= 1000 {
		return s.list(ctx, prefix, after, 0)
	}
	return func(yield func(store.Info, error) bool) {
		n, last := 0, after
		for info, err := range s.list(ctx, prefix, after, first) {
			if !yield(info, err) || err != nil {
				return
			}
			if n, last = n+1, info.Key; n == first {
				break
			}
		}
		if n == first {
			s.list(ctx, prefix, last, 0)(yield)
		}
	}
}

// list lists in pages of this many keys, or of a thousand for 0.
func (s *Store) list(parent context.Context, prefix, after string, page int) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if err := parent.Err(); err != nil {
			yield(store.Info{}, err)
			return
		}
		ctx, ex := observe(parent)
		opts := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true, FetchOwner: new(bool), MaxKeys: page}
		var w walk
		switch {
		case after == "", after < prefix: // with that start, some servers list nothing
		case strings.HasPrefix(after, prefix):
			opts.StartAfter, w.last = s.prefix+after, after
		default: // all keys with the prefix come before after
			return
		}
		for o := range s.core.Client.ListObjectsIter(ctx, s.bucket, opts) {
			if o.Err != nil {
				yield(store.Info{}, s.readError(ctx, "list", prefix, o.Err, ex))
				return
			}
			key, err := s.listed(prefix, o.Key)
			if err != nil {
				yield(store.Info{}, err)
				return
			}
			before := w.last
			if !w.next(key, s.order.Load()) {
				yield(store.Info{}, fmt.Errorf("list %s: %w: %q comes after %q", prefix, errUnordered, key, before))
				return
			}
			if store.ValidKey(key) != nil {
				continue // not a key of a store
			}
			ex.barren = 0
			s.versity.Store(ex.versity)
			s.known.Store(ex.known)
			if !yield(s.info(key, o, ex), nil) {
				return
			}
		}
		if err := parent.Err(); err != nil { // the client library ends a cancelled listing without an error
			yield(store.Info{}, err)
		} else if ex.foreign {
			yield(store.Info{}, s.readError(ctx, "list", prefix, nil, ex))
		}
	}
}

// Now implements store.Store: the Date of an answer about the bucket.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	// This name is not a valid key, so the answer is always the same.
	ctx, ex := observe(ctx)
	_, err := s.core.Client.StatObject(ctx, s.bucket, s.prefix+".now", minio.StatObjectOptions{})
	switch {
	case err != nil && !absent(minio.ToErrorResponse(err)):
		return time.Time{}, s.readError(ctx, "time", s.bucket, err, ex)
	case ex.date.IsZero():
		return time.Time{}, fmt.Errorf("time %s: %s does not send a Date with its answers, which a registry needs", s.bucket, s.endpoint.url())
	}
	return ex.date, nil
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.ValidKey(key)
}
