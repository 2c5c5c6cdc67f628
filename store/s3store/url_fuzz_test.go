package s3store

import (
	"strings"
	"testing"

	"github.com/mindtrace/registry/store"
)

// A location is read or refused; no error shows what may be a secret.
func FuzzURL(f *testing.F) {
	for _, s := range []string{
		"s3://b", "s3://b/p/q?region=x&endpoint=http://h:1", "s3://b?path_style=true&anonymous=false", "s3://b?secret_key=abcdefghijklmnop",
		"s3://b?endpoint=https://user:abcdefghijklmnop@h", "s3://B_/..", "s3://b?profile=", "s3://b?region=%00", "s3:b", "s3://b?endpoint=h/p",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, location string) {
		u, err := store.ParseURL(location)
		if err != nil || u.Scheme != "s3" {
			return
		}
		o, err := parseURL(u)
		if err == nil {
			o.Anonymous = true // no look for credentials
			o.Profile = ""
			_, err = New(o)
		}
		if err == nil {
			if o.Bucket != u.Host || strings.HasPrefix(o.Prefix, "/") || strings.HasSuffix(o.Prefix, "/") {
				t.Errorf("%q is read as %+v", location, o)
			}
			return
		}
		const secret = "abcdefghijklmnop"
		if strings.Contains(err.Error(), secret) && !strings.Contains(u.Host+u.Path, secret) {
			t.Errorf("%q: %v", location, err)
		}
	})
}
