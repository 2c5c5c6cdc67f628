package registry

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/faultstore"
	"github.com/mindtrace/registry/store/tracestore"
)

func mustTag(t testing.TB, r *Registry, ref, tag string, opts ...TagOptions) {
	t.Helper()
	var o *TagOptions
	if len(opts) > 0 {
		o = &opts[0]
	}
	if _, err := r.Tag(context.Background(), ref, tag, o); err != nil {
		t.Fatal(err)
	}
}

// tagsOf returns the tags of an object as "tag=version".
func tagsOf(t testing.TB, r *Registry, name string) []string {
	t.Helper()
	var out []string
	for tag, err := range r.Tags(context.Background(), name) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, tag.Tag+"="+tag.Version.String())
	}
	return out
}

func wantTags(t testing.TB, r *Registry, name string, want ...string) {
	t.Helper()
	if got := tagsOf(t, r, name); !slices.Equal(got, want) {
		t.Errorf("tags of %s are %v, want %v", name, got, want)
	}
}

func TestTags(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		r := openOn(t, st, nil)
		for _, s := range []string{"zero", "one", "two"} {
			mustSave(t, r, "m", s)
		}
		mustTag(t, r, "m@1.0.0", "prod")
		mustTag(t, r, "m", "beta")
		mustTag(t, r, "m@^1", "Beta") // another one
		wantTags(t, r, "m", "Beta=1.0.2", "beta=1.0.2", "prod=1.0.0")
		for range 2 { // twice is once
			mustTag(t, r, "m@beta", "prod")
		}
		if got := mustLoad[string](t, r, "m@prod"); got != "two" {
			t.Errorf("m@prod is %q", got)
		}
		info := must[*Info](t)(r.Info(t.Context(), "m@prod"))
		for tag := range r.Tags(t.Context(), "m") {
			if tag.Digest != info.Digest || tag.Updated.IsZero() || tag.Name != "m" {
				t.Errorf("listed as %+v", tag)
			}
		}
		if _, err := r.Untag(t.Context(), "m", "prod", nil); err != nil {
			t.Fatal(err)
		}
		wantErr(t, errOf(r.Untag(t.Context(), "m", "prod", nil)), ErrNotFound)
		wantErr(t, r.Load(t.Context(), "m@prod", new(string)), ErrNotFound)
		if has := must[bool](t)(r.Has(t.Context(), "m@prod")); has {
			t.Error("a removed tag is there")
		}
		mustTag(t, r, "m@1.0.1", "prod")
		var moves []string
		for _, m := range must[[]TagMove](t)(r.TagHistory(t.Context(), "m", "prod")) {
			moves = append(moves, fmt.Sprint(m.Version, m.Removed, m.Time.IsZero()))
		}
		if want := []string{"1.0.1 false false", "1.0.2 true false", "1.0.2 false false", "1.0.0 false false"}; !slices.Equal(moves, want) {
			t.Errorf("history is %q, want %q", moves, want)
		}
		_, err := r.TagHistory(t.Context(), "m", "none")
		wantErr(t, err, ErrNotFound)
		wantTags(t, r, "none")
		if rep := must[*VerifyReport](t)(r.Verify(t.Context(), "", nil)); !rep.OK() {
			t.Error(rep.Problems)
		}
	})
}

func TestTagRefuses(t *testing.T) {
	trace := tracestore.New(newStore(t))
	r := openOn(t, trace, nil)
	mustSave(t, r, "m", "x")
	flat := openOn(t, newStore(t), &Options{Unversioned: true})
	mustSave(t, flat, "m", "x")
	trace.Reset()
	ctx := t.Context()
	for _, c := range []struct {
		err  error
		want error
		says string
	}{
		{errOf(r.Tag(ctx, "m", "", nil)), ErrInvalidTag, "empty"},
		{errOf(r.Tag(ctx, "m", "1.0", nil)), ErrInvalidTag, "taken for a version"},
		{errOf(r.Tag(ctx, "m", "latest", nil)), ErrInvalidTag, "highest version"},
		{errOf(r.Tag(ctx, "m", "a/b", nil)), ErrInvalidTag, "letters"},
		{errOf(r.Tag(ctx, "a_b", "prod", nil)), ErrInvalidName, "a-b"},
		{errOf(r.Tag(ctx, "m@", "prod", nil)), ErrInvalidRef, "leave it out"},
		{errOf(r.Tag(ctx, "none", "prod", nil)), ErrNotFound, "no object"},
		{errOf(r.Tag(ctx, "m@9", "prod", nil)), ErrNotFound, "9.0.0"},
		{errOf(r.Tag(ctx, "m@other", "prod", nil)), ErrNotFound, "no tag or version other"},
		{errOf(r.Tag(ctx, "m", "prod", &TagOptions{IfVersion: "v"})), ErrInvalidVersion, "1.2.3"},
		{errOf(r.Tag(ctx, "m", "prod", &TagOptions{IfVersion: "1.0.0", IfAbsent: true})), nil, "give one of them"},
		{errOf(r.Tag(ctx, "m", "prod", &TagOptions{IfVersion: "1.0.0"})), ErrConflict, "no such tag"},
		{errOf(r.Untag(ctx, "m", "prod", nil)), ErrNotFound, "no tag prod"},
		{errOf(r.Untag(ctx, "m", "v1", nil)), ErrInvalidTag, "taken for a version"},
		{errOf(r.Untag(ctx, "a_b", "prod", nil)), ErrInvalidName, "a-b"},
		{errOf(flat.Tag(ctx, "m", "prod", nil)), ErrInvalidTag, "keeps no versions"},
		{second(flat.Save(ctx, "m", "y", WithTag("prod"))), ErrInvalidTag, "keeps no versions"},
		{second(r.Save(ctx, "m", "y", WithTag("prod", "1.0"))), ErrInvalidTag, "taken for a version"},
	} {
		if c.want != nil || c.err == nil {
			wantErr(t, c.err, c.want)
		}
		if c.err != nil && !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%q does not say %q", c.err, c.says)
		}
	}
	if n := trace.Count("put"); n != 0 {
		t.Errorf("%d writes", n)
	}
}

func second[T any](_ T, err error) error { return err }

func TestConditionalTags(t *testing.T) {
	r, _ := inMemory(t)
	for range 3 {
		mustSave(t, r, "m", "x")
	}
	ctx := t.Context()
	mustTag(t, r, "m@1.0.0", "prod", TagOptions{IfAbsent: true})
	wantErr(t, errOf(r.Tag(ctx, "m@1.0.1", "prod", &TagOptions{IfAbsent: true})), ErrConflict)
	wantErr(t, errOf(r.Tag(ctx, "m@1.0.1", "prod", &TagOptions{IfVersion: "1.0.1"})), ErrConflict)
	wantTags(t, r, "m", "prod=1.0.0")
	mustTag(t, r, "m@1.0.1", "prod", TagOptions{IfVersion: "v1"})
	wantErr(t, errOf(r.Untag(ctx, "m", "prod", &UntagOptions{IfVersion: "1.0.0"})), ErrConflict)
	if _, err := r.Untag(ctx, "m", "prod", &UntagOptions{IfVersion: "1.0.1"}); err != nil {
		t.Error(err)
	}
	mustTag(t, r, "m@1.0.2", "prod", TagOptions{IfAbsent: true})
	wantTags(t, r, "m", "prod=1.0.2")
}

// Of many that move a tag from the same version, one wins.
func TestConditionalTagRace(t *testing.T) {
	onEachStore(t, func(t *testing.T, st store.Store) {
		const racers = 16
		r := openOn(t, st, nil)
		for range racers + 1 {
			mustSave(t, r, "m", "x")
		}
		mustTag(t, r, "m@1.0.0", "prod")
		errs := make(chan error, racers)
		for i := range racers {
			go func() {
				errs <- errOf(r.Tag(context.Background(), fmt.Sprintf("m@1.0.%d", i+1), "prod", &TagOptions{IfVersion: "1.0.0"}))
			}()
		}
		won := 0
		for range racers {
			if err := <-errs; err == nil {
				won++
			} else {
				wantErr(t, err, ErrConflict)
			}
		}
		if n := len(must[[]TagMove](t)(r.TagHistory(t.Context(), "m", "prod"))); won != 1 || n != 2 {
			t.Errorf("%d racers won, the tag was in %d states", won, n)
		}
	})
}

// Moves without a condition all succeed, and the history has each of them.
func TestTagRace(t *testing.T) {
	r, _ := inMemory(t)
	const racers = 16
	errs := make(chan error, racers)
	for range racers {
		mustSave(t, r, "m", "x")
	}
	for i := range racers {
		go func() { errs <- errOf(r.Tag(context.Background(), fmt.Sprintf("m@1.0.%d", i), "prod", nil)) }()
	}
	for range racers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := len(must[[]TagMove](t)(r.TagHistory(t.Context(), "m", "prod"))); n != racers {
		t.Errorf("the tag was in %d states, want %d", n, racers)
	}
}

// The tokens of a store may be hashes of the bytes, as ETags are. A tag that
// went from one version to another and back has another token all the same
// (docs/attacks.md, A17).
func TestTagMovedThereAndBackHasChanged(t *testing.T) {
	r := openOn(t, etags{newStore(t)}, nil)
	mustSave(t, r, "m", "x")
	mustSave(t, r, "m", "y")
	mustTag(t, r, "m@1.0.0", "prod")
	stale := must[ledger.TagRecord](t)(r.ledger.ReadTag(t.Context(), "m", "prod"))
	mustTag(t, r, "m@1.0.1", "prod")
	mustTag(t, r, "m@1.0.0", "prod")
	now := must[ledger.TagRecord](t)(r.ledger.ReadTag(t.Context(), "m", "prod"))
	if now.Version != stale.Version || now.Stored.Token == stale.Stored.Token {
		t.Errorf("at %s again, with the token %s as before", now.Version, now.Stored.Token)
	}
	_, err := r.ledger.PutTag(t.Context(), stale, manifest.NewTag("m", "prod", Version{Major: 1, Patch: 1}, now.Digest))
	wantErr(t, err, ErrConflict)
	wantTags(t, r, "m", "prod=1.0.0")
}

// etags makes the tokens of a store hashes of the bytes.
type etags struct{ store.Store }

func (s etags) token(body []byte) store.Token {
	sum := md5.Sum(body)
	return store.Token(hex.EncodeToString(sum[:]))
}

func (s etags) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	body, info, err := s.Store.Get(ctx, key, o)
	if err == nil {
		info.Token = s.token(body)
	}
	return body, info, err
}

func (s etags) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if match != store.Absent {
		was, info, err := s.Store.Get(ctx, key, nil)
		if errors.Is(err, fs.ErrNotExist) || err == nil && s.token(was) != match {
			return store.Info{}, store.ErrPrecondition
		}
		if err != nil {
			return store.Info{}, err
		}
		match = info.Token
	}
	info, err := s.Store.Put(ctx, key, body, match)
	info.Token = s.token(body)
	return info, err
}

// A registry reads a tag from the store each time, also if it has read it
// before (docs/attacks.md, A18).
func TestTagsAreNeverCached(t *testing.T) {
	st := newStore(t)
	reader, mover := openOn(t, st, nil), openOn(t, st, nil)
	for i := range 5 {
		v := mustSave(t, mover, "m", fmt.Sprint(i))
		mustTag(t, mover, "m@"+v.String(), "prod")
		if got := mustLoad[string](t, reader, "m@prod"); got != fmt.Sprint(i) {
			t.Errorf("load %d gets %s", i, got)
		}
	}
}

func TestSaveWithTag(t *testing.T) {
	r, fst, _ := faulty(t)
	mustSave(t, r, "m", "zero", WithTag("prod"))
	trace := 0
	fst.Plan(func(c faultstore.Call) faultstore.Fault {
		if c.Op == "put" && strings.HasPrefix(c.Key, "tags/") {
			trace++
		}
		return faultstore.Fault{}
	})
	mustSave(t, r, "m", "one", WithTag("prod", "beta"), WithTag("prod"))
	if trace != 2 {
		t.Errorf("%d writes of tags, want 2", trace)
	}
	wantTags(t, r, "m", "beta=1.0.1", "prod=1.0.1")

	// The version stands although it could not be tagged.
	fst.Plan(nth(0, "tags/", faultstore.Fault{Before: fs.ErrPermission}))
	var report SaveReport
	v, err := r.Save(t.Context(), "m", "two", WithTag("prod", "beta"), WithReport(&report))
	fst.Plan(nil)
	te := (*TagError)(nil)
	if !errors.As(err, &te) || te.Version != v || !slices.Equal(te.Tags, []string{"prod"}) || v.Patch != 2 || report.Info.Version != v {
		t.Errorf("saved as %s, reported %s, with %v", v, report.Info.Version, err)
	}
	wantErr(t, err, fs.ErrPermission)
	if err == nil || !strings.Contains(err.Error(), "saved as version 1.0.2, but not tagged prod") {
		t.Errorf("error %q", err)
	}
	wantTags(t, r, "m", "beta=1.0.2", "prod=1.0.1")
}

// A tag whose digest is not its version's is damage, and so is one that
// cannot be read; Verify finds both, and what lies where tags lie.
func TestDamagedTags(t *testing.T) {
	r, st := inMemory(t)
	mustSave(t, r, "m", "x")
	for _, tag := range []string{"good", "swapped", "torn"} {
		mustTag(t, r, "m", tag)
	}
	swap := func(b []byte) []byte {
		i := strings.Index(string(b), `"digest":"`) + len(`"digest":"`)
		b[i] ^= 1
		if b[i] > '9' && b[i] < 'a' || b[i] > 'f' {
			b[i] = '0'
		}
		return b
	}
	overwrite(t, st, manifest.TagKey("m", "swapped"), swap)
	overwrite(t, st, manifest.TagKey("m", "torn"), func(b []byte) []byte { return b[:20] })
	must[store.Info](t)(st.Put(t.Context(), "tags/m/@/1.0.json", nil, store.Absent))
	for _, tag := range []string{"swapped", "torn"} {
		wantErr(t, r.Load(t.Context(), "m@"+tag, new(string)), ErrIntegrity)
	}
	for _, ref := range []string{"", "m"} {
		var keys []string
		for _, p := range must[*VerifyReport](t)(r.Verify(t.Context(), ref, nil)).Problems {
			keys = append(keys, strings.TrimPrefix(p.Key, "tags/m/@/"))
		}
		if want := []string{"1.0.json", "swapped.json", "torn.json"}; !slices.Equal(keys, want) {
			t.Errorf("verify %q finds %q, want %q", ref, keys, want)
		}
	}
}

// What tags cost, request by request.
func TestRequestsPerTagOperation(t *testing.T) {
	onEveryStore(t, func(t *testing.T, st store.Store) {
		trace := tracestore.New(st)
		r := openOn(t, trace, nil)
		mustSave(t, r, "m", "zero")
		mustSave(t, r, "m", "one")
		mustSave(t, r, "m", "two")
		var b strings.Builder
		step := func(title string, do func()) {
			trace.Reset()
			do()
			fmt.Fprintf(&b, "# %s\n%s\n", title, trace)
		}
		step("set a tag", func() { mustTag(t, r, "m@1.0.0", "prod") })
		step("set it again", func() { mustTag(t, r, "m@1.0.0", "prod") })
		step("move it", func() { mustTag(t, r, "m@1.0.1", "prod", TagOptions{IfVersion: "1.0.0"}) })
		step("load by tag", func() { mustLoad[string](t, r, "m@prod") })
		step("list tags", func() { tagsOf(t, r, "m") })
		step("its history", func() { must[[]TagMove](t)(r.TagHistory(t.Context(), "m", "prod")) })
		step("delete a version without tags", func() { must[*DeleteReport](t)(r.Delete(t.Context(), "m@1.0.0", nil)) })
		step("refuse to delete one with a tag", func() { wantErr(t, second(r.Delete(t.Context(), "m@1.0.1", nil)), ErrTagged) })
		step("delete it", func() { must[*DeleteReport](t)(r.Delete(t.Context(), "m@1.0.1", &DeleteOptions{Force: true})) })
		step("load by a removed tag", func() { wantErr(t, r.Load(t.Context(), "m@prod", new(string)), ErrNotFound) })
		step("remove a tag", func() {
			mustTag(t, r, "m@1.0.2", "prod")
			trace.Reset()
			if _, err := r.Untag(t.Context(), "m", "prod", nil); err != nil {
				t.Fatal(err)
			}
		})
		step("save with a tag", func() { mustSave(t, r, "m", "three", WithTag("prod")) })
		step("save if the latest is the expected one", func() { mustSave(t, r, "m", "four", WithIfLatest("1.0.3")) })
		big := noise(1, 1<<20)
		step("the same with 1 MiB", func() { mustSave(t, r, "m", big, WithIfLatest("1.0.4")) })
		step("update", func() {
			must[Version](t)(Update(t.Context(), r, "n", func(n int, _ *Info) (int, error) { return n + 1, nil }))
		})
		step("update again", func() {
			must[Version](t)(Update(t.Context(), r, "n", func(n int, _ *Info) (int, error) { return n + 1, nil }))
		})
		golden(t, "requests-tags.txt", b.String())
	})
}
