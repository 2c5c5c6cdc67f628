package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mindtrace/registry"
	"github.com/mindtrace/registry/store"
)

// world is what the steps work on: two registries of one backend, and files.
type world struct {
	ctx              context.Context
	urlA, urlB, urlC string
	dir              string // holds tree/, with files, a link and an empty directory
	a, b             *registry.Registry
	obj              *registry.Object
	out              strings.Builder // of one step
}

// say adds results to what the step comes to: values as JSON, errors as what
// they say.
func (w *world) say(results ...any) {
	for _, v := range results {
		switch v := v.(type) {
		case nil:
		case error:
			fmt.Fprintf(&w.out, "error: %s\n", v)
		case string:
			fmt.Fprintln(&w.out, v)
		case []byte:
			fmt.Fprintf(&w.out, "%q\n", v)
		default:
			e := json.NewEncoder(&w.out)
			e.SetEscapeHTML(false)
			if err := e.Encode(v); err != nil {
				fmt.Fprintln(&w.out, err)
			}
		}
	}
}

// all says what a sequence yields.
func all[T any](w *world, seq iter.Seq2[T, error]) {
	for v, err := range seq {
		if err != nil {
			w.say(err)
			continue
		}
		w.say(v)
	}
}

// is says whether an error is the one that the documentation names.
func (w *world) is(err, want error) { w.say(err, fmt.Sprint(errors.Is(err, want))) }

// large returns a body of several chunks. Bodies differ only by their number.
func large(n byte) []byte {
	b := make([]byte, 3<<20)
	for i := range b {
		b[i] = byte(i>>3) ^ byte(i>>9) ^ byte(i>>16)*n
	}
	return b
}

// varying is what two runs never have in common.
var varying = regexp.MustCompile(`20\d\d-\d\d-\d\d(T[0-9:.]+Z)?|\b[0-9a-f]{32}\b|"seconds":[0-9.e-]+|"Seconds":[0-9.e-]+|packs/\d{10}/|"(host|user)":"[^"]*"|"pid":\d+`)

func (w *world) normal(s string) string {
	for url, name := range map[string]string{w.urlA: "{A}", w.urlB: "{B}", w.urlC: "{C}"} {
		place, options, _ := strings.Cut(url, "?")
		s = strings.ReplaceAll(s, place, name)
		if options != "" {
			s = strings.ReplaceAll(s, "?"+options, "")
			s = strings.ReplaceAll(s, "'"+name+"'", name) // as a shell needs it
		}
	}
	s = strings.ReplaceAll(s, w.dir, "{dir}")
	return varying.ReplaceAllString(s, "~")
}

func (w *world) files(t *testing.T) {
	for name, body := range map[string][]byte{"a/x": []byte("in a tree\n"), "b.bin": large(7), "c": nil} {
		path := filepath.Join(w.dir, "tree", filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, body, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("a/x", filepath.Join(w.dir, "tree", "link")), os.Mkdir(filepath.Join(w.dir, "tree", "empty"), 0o777)); err != nil {
		t.Fatal(err)
	}
}

// damagePack flips a bit of the first pack in a place, past the registry.
func (w *world) damagePack(ctx context.Context, url string) error {
	st, err := store.Open(ctx, url)
	if err != nil {
		return err
	}
	for info, err := range st.List(ctx, "packs/", "") {
		if err != nil {
			return err
		}
		body, info, err := st.Get(ctx, info.Key, nil)
		if err != nil {
			return err
		}
		body = bytes.Clone(body)
		body[len(body)/2] ^= 1
		_, err = st.Put(ctx, info.Key, body, info.Token)
		return err
	}
	return errors.New("there is no pack")
}

// errOf returns the error of a call alone.
func errOf[T any](_ T, err error) error { return err }
