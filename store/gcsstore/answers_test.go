package gcsstore_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mindtrace/registry/store"
)

// object answers a download.
func object(w http.ResponseWriter, generation, body string, headers ...string) {
	w.Header().Set("X-Goog-Generation", generation)
	w.Header().Set("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			w.Header().Del(headers[i])
		} else {
			w.Header().Set(headers[i], headers[i+1])
		}
	}
	if w.Header().Get("Content-Range") != "" {
		w.WriteHeader(http.StatusPartialContent)
	}
	io.WriteString(w, body)
}

// Clauses 12 and 14: answers that are damaged on the way are no answers.
func TestDamagedDownloads(t *testing.T) {
	const right = "crc32c=yZRlqg==,md5=XrY7u+Ae7tCTyyK7j1rNww==" // of "hello world"
	for _, c := range []struct {
		name    string
		opts    *store.GetOptions
		body    string
		headers []string
		want    string // body; "" for an error
		err     error
	}{
		{"right", nil, "hello world", []string{"X-Goog-Hash", right}, "hello world", nil},
		{"no checksum", nil, "hello world", nil, "hello world", nil},
		{"altered", nil, "hello w0rld", []string{"X-Goog-Hash", right}, "", errPlain},
		{"short", nil, "hello", []string{"Content-Length", "11"}, "", store.ErrUnavailable},
		{"range", &store.GetOptions{Offset: 6, Length: 3}, "wor", []string{"Content-Range", "bytes 6-8/11", "X-Goog-Hash", right}, "wor", nil},
		{"other range", &store.GetOptions{Offset: 6, Length: 3}, "hel", []string{"Content-Range", "bytes 0-2/11"}, "", errPlain},
		{"range ignored", &store.GetOptions{Offset: 6, Length: 3}, "hello world", []string{"X-Goog-Hash", right}, "wor", nil},
		{"range ignored, past the end", &store.GetOptions{Offset: 60}, "hello world", nil, "", nil},
		{"nonsense range", &store.GetOptions{Offset: 6}, "world", []string{"Content-Range", "bytes */*"}, "", errPlain},
		{"huge", &store.GetOptions{Offset: 6}, "", []string{"Content-Range", "bytes 6-99999999999/100000000000"}, "", errPlain},
		{"no generation", nil, "hello world", []string{"X-Goog-Generation", ""}, "", errPlain},
	} {
		st, _ := fake(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Accept-Encoding"); got != "identity" {
				t.Errorf("%s: asks for the encoding %q, not for the bytes as stored", c.name, got)
			}
			object(w, "17", c.body, c.headers...)
		})
		body, info, err := st.Get(t.Context(), "k", c.opts)
		if c.err != nil {
			is(t, c.name, err, c.err)
			continue
		}
		if err != nil || string(body) != c.want || info.Size != 11 || info.Token != "17" {
			t.Errorf("%s: %q %+v %v", c.name, body, info, err)
		}
	}
}

// Modified is the time of creation, also when the metadata were edited since
// or the answer says no time; and still of the state that the bytes are of.
func TestModifiedOfEditedObject(t *testing.T) {
	for name, header := range map[string][]string{
		"edited":  {"X-Goog-Metageneration", "2"},
		"no time": {"Last-Modified", ""},
	} {
		stats := 0
		st, _ := fake(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("alt") == "media" {
				object(w, fmt.Sprint(100+min(stats, 1)), fmt.Sprint("state ", min(stats, 1)), header...)
				return
			}
			stats++ // it is replaced before the first of these
			io.WriteString(w, `{"name": "k", "size": "7", "generation": "101", "timeCreated": "2026-10-01T09:00:00.789Z"}`)
		})
		body, info, err := st.Get(t.Context(), "k", nil)
		if err != nil || string(body) != "state 1" || info.Token != "101" || info.Modified.Format("2006-01-02 15:04:05.999") != "2026-10-01 09:00:00" {
			t.Errorf("%s: %q %+v %v", name, body, info, err)
		}
	}
}

func TestUnorderedListing(t *testing.T) {
	item := func(name string) string {
		return fmt.Sprintf(`{"name": %q, "size": "1", "generation": "5", "timeCreated": "2026-10-01T09:00:00Z"}`, name)
	}
	for _, c := range []struct {
		name   string
		pages  [][]string
		prefix string
		after  string
		keys   string // that are shown
		ok     bool
	}{
		{"in order", [][]string{{"a", "b"}, {"c"}}, "", "", "a b c", true},
		{"an empty page", [][]string{{"a"}, {}, {"b"}}, "", "", "a b", true},
		{"after is skipped", [][]string{{"a", "b"}}, "", "a", "b", true},
		{"not ours", [][]string{{"a", "a/", "b//c", "d"}}, "", "", "a d", true},
		{"backwards", [][]string{{"b", "a"}}, "", "", "b", false},
		{"backwards over pages", [][]string{{"b"}, {"a"}}, "", "", "b", false},
		{"twice", [][]string{{"a", "a"}}, "", "", "a", false},
		{"before after", [][]string{{"a"}}, "", "b", "", false},
		{"outside the prefix", [][]string{{"p/a", "q"}}, "p/", "", "p/a", false},
	} {
		st, _ := fake(t, func(w http.ResponseWriter, r *http.Request) {
			n := len(r.URL.Query().Get("pageToken"))
			var items []string
			for _, name := range c.pages[n] {
				items = append(items, item(name))
			}
			next := ""
			if n+1 < len(c.pages) {
				next = strings.Repeat("x", n+1)
			}
			fmt.Fprintf(w, `{"items": [%s], "nextPageToken": %q}`, strings.Join(items, ","), next)
		})
		var keys []string
		var err error
		for info, lerr := range st.List(t.Context(), c.prefix, c.after) {
			if err = lerr; err == nil {
				keys = append(keys, info.Key)
			}
		}
		if got := strings.Join(keys, " "); got != c.keys || (err == nil) != c.ok {
			t.Errorf("%s: %q, %v; want %q, ok %t", c.name, got, err, c.keys, c.ok)
		}
		if err != nil && !strings.Contains(err.Error(), "in order") {
			t.Errorf("%s: %v does not say what is wrong", c.name, err)
		}
	}
}

// A put carries what the server needs to refuse it.
func TestPutRequest(t *testing.T) {
	var query url.Values
	var sent string
	st, _ := fake(t, func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.Query()
		b, _ := io.ReadAll(r.Body)
		sent = string(b)
		io.WriteString(w, `{"name": "k", "size": "11", "generation": "101", "timeCreated": "2026-10-01T09:00:00.789Z"}`)
	})
	info, err := st.Put(t.Context(), "k", []byte("hello world"), store.Absent)
	if err != nil || info.Token != "101" || info.Size != 11 {
		t.Fatalf("%+v %v", info, err)
	}
	if query.Get("ifGenerationMatch") != "0" || query.Get("uploadType") != "multipart" {
		t.Errorf("a create asks for %v", query)
	}
	for _, want := range []string{`"crc32c":"yZRlqg=="`, `no-store`, "\r\n\r\nhello world\r\n"} {
		if !strings.Contains(sent, want) {
			t.Errorf("the request does not hold %q:\n%s", want, sent)
		}
	}
	if _, err := st.Put(t.Context(), "k", []byte("hello world"), "101"); err != nil || query.Get("ifGenerationMatch") != "101" {
		t.Errorf("a replacement asks for %v (%v)", query, err)
	}
	// Applied, says the server, but not all of it.
	_, err = st.Put(t.Context(), "k", []byte("hello world!"), "101")
	is(t, "stored short", err, store.ErrUnknown)
}

// A swap of a key that is gone has met another state than it named. A put of a
// new key that finds nothing has found no bucket.
func TestSwapOfAnAbsentKey(t *testing.T) {
	code := http.StatusNotFound
	st, _ := fake(t, func(w http.ResponseWriter, r *http.Request) {
		refuse(w, code, "notFound", "No such object: bucket/k")
	})
	_, err := st.Put(t.Context(), "k", nil, "101")
	is(t, "swap", err, store.ErrPrecondition)
	_, err = st.Put(t.Context(), "k", nil, store.Absent)
	is(t, "create", err, store.ErrNoBucket)
	if err := st.Delete(t.Context(), "k"); err != nil {
		t.Errorf("delete: %v", err)
	}
	code = http.StatusConflict
	_, err = st.Put(t.Context(), "k", nil, "101")
	is(t, "conflict", err, store.ErrRetry)
}

// Modified is in whole seconds, however it is learnt: an answer with bytes has
// it no finer.
func TestModifiedIsInSeconds(t *testing.T) {
	const object = `{"name": "k", "size": "7", "generation": "101", "timeCreated": "2026-10-01T09:00:00.789Z"}`
	st, _ := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("prefix") {
			io.WriteString(w, `{"items": [`+object+`]}`)
		} else {
			io.WriteString(w, object)
		}
	})
	info, err := st.Stat(t.Context(), "k")
	if err != nil || info.Modified.Nanosecond() != 0 {
		t.Errorf("stat: %s, %v", info.Modified, err)
	}
	for info, err := range st.List(t.Context(), "", "") {
		if err != nil || info.Modified.Nanosecond() != 0 {
			t.Errorf("list: %s, %v", info.Modified, err)
		}
	}
}
