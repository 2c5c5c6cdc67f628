package gcsstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/gcsstore"
	"github.com/mindtrace/registry/store/storetest"
)

// Keys: three pages of a listing.
func TestContract(t *testing.T) {
	at := location(t, emulator(t), "contract")
	st, err := store.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, storetest.Same(st, 8), &storetest.Options{Rounds: 20, Keys: 2100})
}

func TestContractBetweenProcesses(t *testing.T) {
	at := location(t, emulator(t), "contract")
	at = strings.Replace(at, "?", "/some/prefix?", 1)
	storetest.Run(t, storetest.Processes(t, at, 4), &storetest.Options{Rounds: 20, Keys: 200})
}

// counter counts requests by method and path, and keeps the last answer.
type counter struct {
	n    atomic.Int64
	last atomic.Pointer[http.Response]
}

func (c *counter) RoundTrip(req *http.Request) (*http.Response, error) {
	c.n.Add(1)
	resp, err := http.DefaultTransport.RoundTrip(req)
	c.last.Store(resp)
	return resp, err
}

// Each call is one request: what a registry's own counts are made of.
func TestOneRequestEach(t *testing.T) {
	endpoint := emulator(t, "-bucket", "requests")
	var c counter
	st := open(t, gcsstore.Options{Bucket: "requests", Endpoint: endpoint, Transport: &c})
	ctx := t.Context()
	var info store.Info
	calls := []struct {
		what string
		do   func() error
	}{
		{"put", func() (err error) { info, err = st.Put(ctx, "a", []byte("hello"), store.Absent); return }},
		{"replace", func() error { _, err := st.Put(ctx, "a", []byte("hello2"), info.Token); return err }},
		{"get", func() error { _, _, err := st.Get(ctx, "a", nil); return err }},
		{"range", func() error { _, _, err := st.Get(ctx, "a", &store.GetOptions{Offset: 2}); return err }},
		{"stat", func() error { _, err := st.Stat(ctx, "a"); return err }},
		{"stat of nothing", func() error {
			if _, err := st.Stat(ctx, "b"); !errors.Is(err, store.ErrNotExist) {
				return fmt.Errorf("%v, want ErrNotExist", err)
			}
			return nil
		}},
		{"now", func() error { _, err := st.Now(ctx); return err }},
		{"list", func() error {
			for _, err := range st.List(ctx, "", "") {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"delete", func() error { return st.Delete(ctx, "a") }},
	}
	for _, call := range calls {
		before := c.n.Load()
		if err := call.do(); err != nil {
			t.Errorf("%s: %v", call.what, err)
		}
		if n := c.n.Load() - before; n != 1 {
			t.Errorf("%s: %d requests, want 1", call.what, n)
		}
	}
}

// A18: a cache between a reader and the bucket must not keep a register.
func TestNoStore(t *testing.T) {
	var c counter
	st := open(t, gcsstore.Options{Bucket: "caches", Endpoint: emulator(t, "-bucket", "caches"), Transport: &c})
	if _, err := st.Put(t.Context(), "tag", []byte("v1"), store.Absent); err != nil {
		t.Fatal(err)
	}
	if _, _, err := st.Get(t.Context(), "tag", nil); err != nil {
		t.Fatal(err)
	}
	if got := c.last.Load().Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("Cache-Control is %q, want no-store", got)
	}
}

// Clauses 5, 10 and 11: all four ways of asking agree to the bit.
func TestInfoAgrees(t *testing.T) {
	st := open(t, gcsstore.Options{Bucket: "agree", Prefix: "p", Endpoint: emulator(t, "-bucket", "agree")})
	put, err := st.Put(t.Context(), "k/1", []byte("body"), store.Absent)
	if err != nil {
		t.Fatal(err)
	}
	_, get, err := st.Get(t.Context(), "k/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, ranged, err := st.Get(t.Context(), "k/1", &store.GetOptions{Offset: 1, Length: 2})
	if err != nil {
		t.Fatal(err)
	}
	_, past, err := st.Get(t.Context(), "k/1", &store.GetOptions{Offset: 100})
	if err != nil {
		t.Fatal(err)
	}
	stat, err := st.Stat(t.Context(), "k/1")
	if err != nil {
		t.Fatal(err)
	}
	var listed store.Info
	for info, err := range st.List(t.Context(), "k/", "") {
		if err != nil {
			t.Fatal(err)
		}
		listed = info
	}
	put.Now = time.Time{}
	for what, got := range map[string]store.Info{"get": get, "range": ranged, "past the end": past, "stat": stat, "list": listed} {
		if got.Now.IsZero() {
			t.Errorf("%s does not say what time it is", what)
		}
		if got.Now, got.CRC32C = (time.Time{}), ""; got != put {
			t.Errorf("%s: %+v\nput: %+v", what, got, put)
		}
	}
}

func TestNoBucket(t *testing.T) {
	st := open(t, gcsstore.Options{Bucket: "nowhere", Endpoint: emulator(t)})
	_, _, gerr := st.Get(t.Context(), "a", nil)
	_, serr := st.Stat(t.Context(), "a")
	_, perr := st.Put(t.Context(), "a", nil, store.Absent)
	_, cerr := st.Put(t.Context(), "a", nil, "12345")
	_, nerr := st.Now(t.Context())
	derr := st.Delete(t.Context(), "a")
	var lerr error
	for _, lerr = range st.List(t.Context(), "", "") {
	}
	for what, err := range map[string]error{"get": gerr, "stat": serr, "put": perr, "replace": cerr, "now": nerr, "delete": derr, "list": lerr} {
		if !errors.Is(err, store.ErrNoBucket) || errors.Is(err, store.ErrNotExist) || errors.Is(err, store.ErrUnknown) {
			t.Errorf("%s: %v, want ErrNoBucket", what, err)
		}
	}
}

func TestMakeBucket(t *testing.T) {
	endpoint := emulator(t)
	t.Setenv("GOOGLE_CLOUD_PROJECT", "")
	err := open(t, gcsstore.Options{Bucket: "fresh", Endpoint: endpoint}).MakeBucket(t.Context())
	if err == nil || !strings.Contains(err.Error(), "?project=") {
		t.Errorf("without a project: %v", err)
	}
	st := open(t, gcsstore.Options{Bucket: "fresh", Endpoint: endpoint, Project: "p"})
	for range 2 { // the second time it is there
		if err := st.MakeBucket(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := st.Put(t.Context(), "a", nil, store.Absent); err != nil {
		t.Error(err)
	}
}

// Google takes one change a second of one name. The second is refused at
// once, with nothing changed and nothing tried again.
func TestOneWriteASecond(t *testing.T) {
	var c counter
	st := open(t, gcsstore.Options{Bucket: "slow", Endpoint: emulator(t, "-bucket", "slow", "-limit"), Transport: &c})
	ctx := t.Context()
	info, err := st.Put(ctx, "reg", []byte("1"), store.Absent)
	if err != nil {
		t.Fatal(err)
	}
	before := c.n.Load()
	_, perr := st.Put(ctx, "reg", []byte("2"), info.Token)
	derr := st.Delete(ctx, "reg")
	if n := c.n.Load() - before; n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
	for what, err := range map[string]error{"put": perr, "delete": derr} {
		if !errors.Is(err, store.ErrRetry) || errors.Is(err, store.ErrUnknown) {
			t.Errorf("%s: %v, want ErrRetry alone", what, err)
		}
	}
	if body, got, err := st.Get(ctx, "reg", nil); err != nil || string(body) != "1" || got.Token != info.Token {
		t.Errorf("after refusals: %q %v %v", body, got.Token, err)
	}
	if _, err := st.Put(ctx, "other", nil, store.Absent); err != nil {
		t.Errorf("another name: %v", err)
	}
	for { // however long that takes
		_, err := st.Put(ctx, "reg", []byte("2"), info.Token)
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrRetry) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// The emulator must refuse what Google refuses, or tests on it prove nothing.
func TestEmulatorChecksPreconditions(t *testing.T) {
	endpoint := emulator(t, "-bucket", "strict")
	api, err := storage.NewService(t.Context(), option.WithEndpoint(endpoint+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, body string) int64 {
		o, err := api.Objects.Insert("strict", &storage.Object{Name: name}).Media(strings.NewReader(body), googleapi.ChunkSize(0)).Do()
		if err != nil {
			t.Fatal(err)
		}
		return o.Generation
	}
	stale := put("dir/a", "1")
	gen := put("dir/a", "2")
	put("b", "b")
	read := func(c *storage.ObjectsGetCall) error {
		resp, err := c.Download()
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		return err
	}
	compose := func(sourceGen int64) *storage.ObjectsComposeCall {
		return api.Objects.Compose("strict", "c", &storage.ComposeRequest{SourceObjects: []*storage.ComposeRequestSourceObjects{{
			Name: "dir/a", ObjectPreconditions: &storage.ComposeRequestSourceObjectsObjectPreconditions{IfGenerationMatch: sourceGen},
		}}})
	}
	calls := []struct {
		what string
		do   func() error
		want int
	}{
		{"delete", func() error { return api.Objects.Delete("strict", "dir/a").IfGenerationMatch(stale).Do() }, 412},
		{"delete if absent", func() error { return api.Objects.Delete("strict", "dir/a").IfGenerationMatch(0).Do() }, 412},
		{"read", func() error { return read(api.Objects.Get("strict", "dir/a").IfGenerationMatch(stale)) }, 412},
		{"read not modified", func() error { return read(api.Objects.Get("strict", "dir/a").IfGenerationNotMatch(gen)) }, 304},
		{"stat", func() error { _, err := api.Objects.Get("strict", "dir/a").IfGenerationMatch(stale).Do(); return err }, 412},
		{"patch", func() error {
			_, err := api.Objects.Patch("strict", "dir/a", &storage.Object{CacheControl: "x"}).IfGenerationMatch(stale).Do()
			return err
		}, 412},
		{"copy onto", func() error {
			_, err := api.Objects.Copy("strict", "b", "strict", "dir/a", nil).IfGenerationMatch(0).Do()
			return err
		}, 412},
		{"copy from", func() error {
			_, err := api.Objects.Copy("strict", "dir/a", "strict", "new", nil).IfSourceGenerationMatch(stale).Do()
			return err
		}, 412},
		{"rewrite onto", func() error {
			_, err := api.Objects.Rewrite("strict", "b", "strict", "dir/a", nil).IfGenerationMatch(stale).Do()
			return err
		}, 412},
		{"compose from", func() error { _, err := compose(stale).Do(); return err }, 412},
		{"compose", func() error { _, err := compose(gen).Do(); return err }, 0},
		{"compose onto", func() error { _, err := compose(gen).IfGenerationMatch(0).Do(); return err }, 412},
		{"metageneration", func() error { return api.Objects.Delete("strict", "dir/a").IfMetagenerationMatch(1).Do() }, 400},
		{"wrong checksum", func() error {
			_, err := api.Objects.Insert("strict", &storage.Object{Name: "x", Crc32c: "AAAAAA=="}).Media(strings.NewReader("body"), googleapi.ChunkSize(0)).Do()
			return err
		}, 400},
		{"read right", func() error { return read(api.Objects.Get("strict", "dir/a").IfGenerationMatch(gen)) }, 0},
		{"delete right", func() error { return api.Objects.Delete("strict", "dir/a").IfGenerationMatch(gen).Do() }, 0},
		{"delete gone", func() error { return api.Objects.Delete("strict", "dir/a").IfGenerationMatch(gen).Do() }, 404},
	}
	for _, call := range calls {
		var ge *googleapi.Error
		code := 0
		if err := call.do(); errors.As(err, &ge) {
			code = ge.Code
		} else if err != nil {
			t.Errorf("%s: %v", call.what, err)
		}
		if code != call.want {
			t.Errorf("%s: status %d, want %d", call.what, code, call.want)
		}
	}
}

// It refuses what it could not keep through a kill, too.
func TestEmulatorRefusesWhatItDoesNotKeep(t *testing.T) {
	endpoint := emulator(t, "-bucket", "strict")
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/upload/storage/v1/b/strict/o?uploadType=resumable&name=a", ""},
		{"PUT", "/upload/storage/v1/b/strict/o?uploadType=resumable&name=a&upload_id=x", "a"},
		{"POST", "/storage/v1/b?project=test", `{"name": "versioned", "versioning": {"enabled": true}}`},
		{"PATCH", "/storage/v1/b/strict", `{"versioning": {"enabled": true}}`},
		{"POST", "/storage/v1/b/strict/acl", `{}`},
		{"PUT", "/strict/a", "a"},
		{"POST", "/_internal/delete_all", ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, endpoint+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotImplemented {
			t.Errorf("%s %s: %s", c.method, c.path, resp.Status)
		}
	}
}

// A cancelled put returns without waiting for the server, and does not read
// its body any more: the race detector watches what happens to it next.
func TestCancelGivesTheBodyBack(t *testing.T) {
	st := open(t, gcsstore.Options{Bucket: "cancel", Endpoint: emulator(t, "-bucket", "cancel")})
	body := bytes.Repeat([]byte("x"), store.MaxBody)
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
		_, err := st.Put(ctx, fmt.Sprint("k", i), body, store.Absent)
		cancel()
		clear(body)
		if err != nil && !errors.Is(err, store.ErrUnknown) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
