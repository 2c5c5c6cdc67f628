// Package gcsstore keeps a store in a bucket of Google Cloud Storage, through
// its JSON API.
//
// URLs: gs://bucket/prefix, with the options
//
//	credentials=/path/key.json  a file of credentials; default: those of the environment
//	anonymous=true              no credentials: public buckets
//	project=name                only needed to create the bucket; default:
//	                            $GOOGLE_CLOUD_PROJECT, that of the credentials
//	endpoint=http://h:4443      default: $STORAGE_EMULATOR_HOST, Google itself
//
// Credentials are found like in all Google tools (Application Default
// Credentials): in the file that $GOOGLE_APPLICATION_CREDENTIALS names, in the
// file of "gcloud auth application-default login", or from the service account
// of the machine. They are renewed before they expire. They are never part of
// a URL, and are never sent over http. They are sent to Google's hosts only,
// unless they are named together with the endpoint. White space around the
// settings is dropped.
//
// A request that makes no progress for 20 s ends with an error that is
// store.ErrStalled.
//
// # How it keeps the contract
//
//   - The token is the generation, a number that Google never uses twice for
//     a name. Every put is one request with ifGenerationMatch, and is never
//     repeated here: if the answer of a put got lost, a second try would fail
//     its precondition because of the first.
//   - The body's CRC-32C is sent along, and the server refuses a body that does
//     not match it. An object that is read whole is checked against the
//     server's checksum.
//   - Bytes and generation of a Get come from the headers and the body of one
//     answer.
//   - Modified is the time the generation was created, in whole seconds. The
//     JSON resource has milliseconds, but the answer that carries the bytes
//     only has seconds, like Date, which is the clock. So all times are cut to
//     seconds and can be compared. It is not the resource's "updated", which
//     also changes when metadata is edited or a lifecycle rule changes the
//     storage class.
//   - Everything is stored with Cache-Control: no-store. Without it, Google
//     lets caches keep public objects for an hour.
//
// Google accepts about one change a second of one name. A put above that rate
// fails with store.ErrRetry. Nothing in this package waits.
//
// # Files of this package
//
//	gcsstore.go  Store: Get, Stat, Put, Delete, Now; Describe, MakeBucket
//	list.go      List, page by page
//	media.go     the headers and the checksum of an answer that carries bytes
//	options.go   Options, New, the URL
//	account.go   credentials and tokens
//	errors.go    answers of the server as errors of package store, with remedies
//	inspect.go   settings of the bucket that would hurt a registry, for doctor
package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/storage/v1"

	"github.com/mindtrace/registry/internal/transport"
	"github.com/mindtrace/registry/store"
)

// Store is a store in a bucket.
type Store struct {
	api      *storage.Service
	bucket   string
	prefix   string // empty, or ends in a slash
	project  string
	endpoint endpoint
	account  *account
	server   transport.Server // for errors
	found    atomic.Bool      // the bucket exists
}

var _ store.Store = (*Store)(nil)

// infoFields are the fields of an object's resource that an Info needs.
const infoFields = "name,size,generation,timeCreated,crc32c"

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	if err := check(ctx, key); err != nil {
		return nil, store.Info{}, err
	}
	if o == nil {
		o = &store.GetOptions{}
	}
	if o.Offset < 0 || o.Length < 0 {
		return nil, store.Info{}, fmt.Errorf("get %s: negative range: offset %d, length %d", key, o.Offset, o.Length)
	}
	for range 5 {
		body, info, err := s.read(ctx, key, o)
		if !errors.Is(err, errMoved) {
			return body, info, err
		}
	}
	return nil, store.Info{}, fmt.Errorf("get %s: %w: the object is replaced faster than it can be read", key, store.ErrUnavailable)
}

// errMoved: the object was replaced between two requests about one state.
var errMoved = errors.New("replaced meanwhile")

func (s *Store) read(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	outer := ctx
	ctx, ex := watch(transport.Media(ctx))
	call := s.api.Objects.Get(s.bucket, s.prefix+key).Context(ctx)
	switch {
	case o.Length > 0:
		call.Header().Set("Range", fmt.Sprintf("bytes=%d-%d", o.Offset, o.Offset+o.Length-1))
	case o.Offset > 0:
		call.Header().Set("Range", fmt.Sprintf("bytes=%d-", o.Offset))
	}
	resp, err := call.Download()
	if status(err) == http.StatusRequestedRangeNotSatisfiable {
		info, err := s.Stat(outer, key)
		if err == nil && info.Size > o.Offset {
			err = errMoved
		}
		return nil, info, err
	}
	if err != nil {
		return nil, store.Info{Now: ex.date}, s.readError(ctx, "get", key, err, ex)
	}
	defer resp.Body.Close()
	s.found.Store(true)
	got, err := parseMedia(resp)
	if err != nil {
		return nil, store.Info{Now: ex.date}, fmt.Errorf("get %s: %w", key, err)
	}
	if err := o.TooMany(key, got.length); err != nil {
		return nil, store.Info{Now: ex.date}, err
	}
	buf := o.Buffer
	if int64(cap(buf)) < got.length {
		buf = make([]byte, got.length)
	}
	buf = buf[:got.length]
	if _, err := io.ReadFull(resp.Body, buf); err != nil {
		return nil, store.Info{Now: ex.date}, s.readError(ctx, "get", key, fmt.Errorf("the body ends early: %w", err), ex)
	}
	if n, _ := io.ReadFull(resp.Body, make([]byte, 1)); n > 0 {
		return nil, store.Info{Now: ex.date}, fmt.Errorf("get %s: the server sends more than the %d bytes that it announced", key, got.length)
	}
	if resp.StatusCode == http.StatusOK {
		if err := checkCRC(resp.Header, buf); err != nil {
			return nil, store.Info{Now: ex.date}, fmt.Errorf("get %s: %w", key, err)
		}
		buf = buf[min(o.Offset, got.size):] // a proxy may have ignored the range
		if o.Length > 0 {
			buf = buf[:min(o.Length, int64(len(buf)))]
		}
	} else if got.offset != o.Offset || o.Length > 0 && got.length > o.Length {
		return nil, store.Info{Now: ex.date}, fmt.Errorf("get %s: asked for %d bytes from %d, got %d from %d", key, o.Length, o.Offset, got.length, got.offset)
	}
	info := store.Info{Key: key, Size: got.size, Token: got.token, Modified: got.modified, Now: ex.date}
	if info.Modified.IsZero() {
		now, err := s.Stat(outer, key)
		if err == nil && now.Token != info.Token {
			err = errMoved
		}
		if err != nil {
			return nil, now, err
		}
		info.Modified = now.Modified
	}
	return buf, info, nil
}

// Stat implements store.Store.
func (s *Store) Stat(ctx context.Context, key string) (store.Info, error) {
	if err := check(ctx, key); err != nil {
		return store.Info{}, err
	}
	ctx, ex := watch(ctx)
	obj, err := s.api.Objects.Get(s.bucket, s.prefix+key).Context(ctx).Fields(infoFields).Do()
	if err != nil {
		return store.Info{Now: ex.date}, s.readError(ctx, "stat", key, err, ex)
	}
	s.found.Store(true)
	info, err := infoOf(key, obj, ex)
	if err != nil {
		return info, fmt.Errorf("stat %s: %w", key, err)
	}
	info.CRC32C = obj.Crc32c
	return info, nil
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if err := check(ctx, key); err != nil {
		return store.Info{}, err
	}
	if len(body) > store.MaxBody {
		return store.Info{}, fmt.Errorf("put %s: %d bytes, the limit is %d", key, len(body), store.MaxBody)
	}
	var generation int64 // 0: the object must not exist
	if match != store.Absent {
		n, err := strconv.ParseInt(string(match), 10, 64)
		if err != nil || n <= 0 {
			return store.Info{}, fmt.Errorf("put %s: %w: %q is not the token of any state here", key, store.ErrPrecondition, match)
		}
		generation = n
	}
	ctx, ex := watch(ctx)
	loan := &borrowed{b: body}
	defer loan.giveBack()
	obj, err := s.api.Objects.Insert(s.bucket, &storage.Object{
		Name: s.prefix + key, ContentType: octets, CacheControl: "no-store, no-transform", Crc32c: store.CRC32C(body),
	}).IfGenerationMatch(generation).Fields(infoFields).Context(ctx).
		Media(loan, googleapi.ChunkSize(0), googleapi.ContentType(octets)).Do()
	if err != nil {
		return store.Info{Now: ex.date}, s.putError(ctx, key, err, ex, match)
	}
	s.found.Store(true)
	info, err := infoOf(key, obj, ex)
	if err == nil && info.Size != int64(len(body)) {
		err = fmt.Errorf("the server says it stored %d bytes of %d", info.Size, len(body))
	}
	if err != nil {
		return store.Info{Now: ex.date}, fmt.Errorf("put %s: %w: %w", key, store.ErrUnknown, err)
	}
	return info, nil
}

const octets = "application/octet-stream"

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	ctx, ex := watch(ctx)
	err := s.api.Objects.Delete(s.bucket, s.prefix+key).Context(ctx).Do()
	if status(err) == http.StatusNotFound {
		if err := s.notFound(ctx, "delete", key, err); !errors.Is(err, store.ErrNotExist) {
			return err
		}
		return nil
	}
	if err != nil {
		return s.writeError("delete", key, err, ex)
	}
	return nil
}

// Now implements store.Store: the Date of an answer about the bucket.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	// This name is not a valid key, so the answer is always the same.
	ctx, ex := watch(ctx)
	_, err := s.api.Objects.Get(s.bucket, s.prefix+".now").Context(ctx).Fields("name").Do()
	if err != nil {
		err = s.readError(ctx, "time", s.bucket, err, ex)
	}
	if err != nil && !errors.Is(err, store.ErrNotExist) {
		return time.Time{}, err
	}
	if ex.date.IsZero() {
		return time.Time{}, fmt.Errorf("time %s: the answer of the server has no Date", s.bucket)
	}
	return ex.date, nil
}

// MakeBucket implements store.BucketMaker. It creates the bucket in the
// project's default location and with uniform access. For another location,
// create it with "gcloud storage buckets create --location". It needs
// a project.
func (s *Store) MakeBucket(ctx context.Context) error {
	project, err := s.findProject(ctx)
	if err != nil {
		return err
	}
	ctx, ex := watch(ctx)
	_, err = s.api.Buckets.Insert(project, &storage.Bucket{
		Name: s.bucket,
		IamConfiguration: &storage.BucketIamConfiguration{
			UniformBucketLevelAccess: &storage.BucketIamConfigurationUniformBucketLevelAccess{Enabled: true},
		},
	}).Context(ctx).Do()
	if status(err) == http.StatusConflict { // the name is taken, perhaps by the caller
		if err := s.reachable(ctx); err != nil {
			return fmt.Errorf("create bucket %s: the name is taken, but the bucket cannot be used: %w; choose another name", s.bucket, err)
		}
		return nil
	}
	if err != nil {
		return s.writeError("create bucket", s.bucket, err, ex)
	}
	s.found.Store(true)
	return nil
}

// reachable returns an error if the bucket cannot be reached. It lists, which
// is the one way that needs permissions on objects only.
func (s *Store) reachable(ctx context.Context) error {
	ctx, ex := watch(ctx)
	_, err := s.api.Objects.List(s.bucket).Prefix(s.prefix).MaxResults(1).Fields("nextPageToken").Context(ctx).Do()
	if err != nil {
		return s.listError("", err, ex)
	}
	s.found.Store(true)
	return nil
}

// Description is where a store is, for people to read. It holds no secrets.
type Description struct {
	Endpoint    string // URL of the server
	Bucket      string
	Prefix      string // of all keys; empty, or ends in a slash
	Project     string // that a new bucket would belong to, if known
	Credentials string // their owner and where they come from
}

// Describe returns where the store is. It sends no request. Before the first
// request, it does not know the credentials of the environment yet.
func (s *Store) Describe() Description {
	d := Description{
		Endpoint: s.endpoint.root, Bucket: s.bucket, Prefix: s.prefix, Project: s.project, Credentials: s.account.said(),
	}
	if d.Project == "" {
		d.Project = s.account.projectFound()
	}
	return d
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.ValidKey(key)
}

// infoOf turns an object's resource into an Info.
func infoOf(key string, obj *storage.Object, ex *exchange) (store.Info, error) {
	created, err := time.Parse(time.RFC3339, obj.TimeCreated)
	if err != nil || obj.Generation <= 0 {
		return store.Info{}, fmt.Errorf("this is not an answer of Cloud Storage: generation %d, created %q", obj.Generation, obj.TimeCreated)
	}
	return store.Info{
		Key: key, Size: int64(obj.Size), Token: tokenOf(obj.Generation), Modified: created.UTC().Truncate(time.Second), Now: ex.date,
	}, nil
}

func tokenOf(generation int64) store.Token { return store.Token(strconv.FormatInt(generation, 10)) }
