package gcsstore

import (
	"testing"

	"github.com/mindtrace/registry/store"
)

// A location is read or refused, and an endpoint that is read has a host.
func FuzzURL(f *testing.F) {
	for _, s := range []string{
		"gs://b", "gs://b/p?project=x&endpoint=http://h:1", "gs://b?anonymous=true", "gs://b?anonymous=1", "gs://b?credentials=/x", "gs://B_/..",
		"gs://b?endpoint=h:1", "gs://b?endpoint=https://u:p@h/x", "gs://b?x=%00", "gs:b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, location string) {
		u, err := store.ParseURL(location)
		if err != nil || u.Scheme != "gs" {
			return
		}
		o, err := parseURL(u)
		if err != nil {
			return
		}
		o.Anonymous, o.CredentialsFile = true, "" // no look for credentials
		st, err := New(o)
		if err == nil && (st.bucket != u.Host || st.endpoint.root == "") {
			t.Errorf("%q is read as bucket %q at %q", location, st.bucket, st.endpoint.root)
		}
	})
}
