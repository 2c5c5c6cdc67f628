package store_test

import (
	"strings"
	"testing"

	"github.com/mindtrace/registry/store"
)

func TestParseURLOfPaths(t *testing.T) {
	for _, path := range []string{
		"/srv/models", "models", ".", "..", "./models", "../models", "~/models", "a b", "/", "models/", ":x", "é",
		"./my:models", "../my:models", "/srv/my:models", "dir.d:x", "./s3://x", // a slash or dot before the colon: no scheme
		`C:\models`, "C:/models", "c:models", "C:", `\\server\share`, `.\my:models`, // Windows
		"50%", "%41", "what?", "a#b", "me@home", // nothing is unescaped, nothing is an option
	} {
		u, err := store.ParseURL(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if u.Scheme != "file" || u.Path != path || u.Host != "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || u.User != nil {
			t.Errorf("%q is read as %#v", path, u)
		}
	}
}

func TestParseURL(t *testing.T) {
	for _, c := range []struct{ location, scheme, host, path, query string }{
		{"s3://bucket", "s3", "bucket", "", ""},
		{"s3://bucket/a/b?region=eu-1&endpoint=http://127.0.0.1:9000", "s3", "bucket", "/a/b", "region=eu-1&endpoint=http://127.0.0.1:9000"},
		{" s3://bucket/a?region=eu-1\r\n", "s3", "bucket", "/a", "region=eu-1"},
		{"mem:\n", "mem", "", "", ""},
		{"S3://bucket", "s3", "bucket", "", ""},
		{"s3://bucket/me@home", "s3", "bucket", "/me@home", ""},
		{"gs://bucket/a%20b", "gs", "bucket", "/a b", ""},
		{"gs://bucket?credentials=/k.json", "gs", "bucket", "", "credentials=/k.json"},
		{"s3:///bucket", "s3", "", "/bucket", ""},
		{"mem:", "mem", "", "", ""},
		{"MEM:", "mem", "", "", ""},
		{"mem://name", "mem", "name", "", ""},
		{"http://host:9000/x", "http", "host:9000", "/x", ""},
		{"my-own+scheme://x", "my-own+scheme", "x", "", ""},
		{"file:///srv/models", "file", "", "/srv/models", ""},
		{"file://localhost/srv/models", "file", "localhost", "/srv/models", ""},
		{"FILE:///srv/models", "file", "", "/srv/models", ""},
		{"file:/srv/models", "file", "", "/srv/models", ""},
		{"file:models", "file", "", "models", ""},
		{"file:models?sync=no", "file", "", "models", "sync=no"},
		{"file:///my%20models/50%25", "file", "", "/my models/50%", ""},
		{"file:my%20models", "file", "", "my models", ""},
		{"file:me@home", "file", "", "me@home", ""},
	} {
		u, err := store.ParseURL(c.location)
		if err != nil {
			t.Error(err)
			continue
		}
		if u.Scheme != c.scheme || u.Host != c.host || u.Path != c.path || u.RawQuery != c.query || u.Opaque != "" {
			t.Errorf("%q is read as %#v", c.location, u)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for location, says := range map[string]string{
		"":                    "empty registry location",
		"file://srv/models":   "a file URL has three slashes, file:///srv/models",
		"file://C:/models":    "a file URL has three slashes, file:///C:/models",
		"s3:bucket":           "write s3://... for a URL, or ./s3:bucket for a directory of that name",
		"my:model":            "write my://... for a URL, or ./my:model for a directory of that name",
		"my:model@1.0.0":      "write scheme://... for a URL, and ./ before the name of a directory",
		"my model:x":          "what comes before the colon is not a URL scheme; write ./ before the name of a directory",
		"s_3://bucket":        "is not a URL scheme",
		"3s://bucket":         "is not a URL scheme",
		"s3://bucket/x#y":     "a fragment (#...) has no meaning here",
		"file:///x#y":         "a fragment (#...) has no meaning here",
		"s3://buc ket":        "is not a URL: invalid character",
		"s3://bucket:port/x":  "registry location s3://... is not a URL: invalid port",
		"s3://bucket/%zz":     "is not a URL: invalid URL escape",
		"s3://bucket\x7f":     "it holds a line break or another control character",
		"/srv/models\r":       "it holds a line break or another control character",
		"s3://k:s@b\n/p":      `"s3://...@b\n/p"`,
		"/srv/models ":        "begins or ends with white space",
		" /srv/models":        "begins or ends with white space",
		"s3://[::1":           "is not a URL: missing ']'",
		"file:%zz":            "is not a URL: invalid URL escape",
		"s3://b?region=%zz":   "not of the form ?a=b&c=d: invalid URL escape",
		"s3://b?region=x;y=z": "not of the form ?a=b&c=d: invalid semicolon",
	} {
		u, err := store.ParseURL(location)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("ParseURL(%q) = %v, %v, want %q", location, u, err, says)
		}
	}
}

// URLs end up in logs, histories and process lists, and so do errors.
func TestParseURLNeverEchoesSecrets(t *testing.T) {
	const credentials, option = "it holds credentials; put them in the environment or a credentials file", "holds a secret; put it in the environment or a credentials file"
	for location, says := range map[string]string{
		"s3://KEY:HUNTER2@bucket/p":             `registry location "s3://...@bucket/p": ` + credentials,
		"s3://HUNTER2@bucket":                   credentials, // a token for a name
		"s3://:HUNTER2@bucket":                  credentials,
		"S3://KEY:HUNTER2@bucket":               credentials,
		"s3://KEY:x/HUNTER2@bucket":             credentials, // keys of AWS have slashes
		"s3://KEY:HUNTER2/x@bucket":             credentials,
		"s3://KEY:HUNTER2+x/y=@bucket":          credentials,
		"s3://KEY:x#HUNTER2@bucket":             credentials,
		"s3://KEY:HUNTER2?x@bucket":             credentials,
		"s3://KEY:x%zzHUNTER2@bucket":           credentials,
		"s3://KEY:HUNTER2@x@bucket":             credentials,
		"s3://KEY:x@HUNTER2@bucket":             credentials,
		"s3://KEY:HUN TER2@bucket":              credentials,
		"https://HUNTER2@host/bucket":           credentials,
		"file://KEY:HUNTER2@host/x":             credentials,
		"s3://KEY:HUNTER2":                      "is not a URL: invalid port",
		"file://KEY/HUNTER2@host":               "three slashes",
		"s3:bucket?x=HUNTER2":                   "write s3://",
		"s 3:bucket?x=HUNTER2":                  "not a URL scheme",
		"s3:KEY:HUNTER2@bucket":                 "write scheme://",
		"KEY:HUNTER2@bucket":                    "write scheme://",
		"s3://bucket?secret_access_key=HUNTER2": `the option "secret_access_key" ` + option,
		"s3://bucket?SecretKey=HUNTER2":         `the option "SecretKey" ` + option,
		"s3://bucket?access-key-id=HUNTER2":     option,
		"s3://bucket?accesskey=HUNTER2":         option,
		"s3://bucket?password=HUNTER2":          option,
		"s3://bucket?session_token=HUNTER2":     option,
		"s3://bucket?X-Amz-Signature=HUNTER2":   option,
		"s3://bucket?X-Amz-Credential=HUNTER2":  option,
		"gs://bucket?credentials=HUNTER2":       option,
		"gs://b?credentials={HUNTER2.json":      option, // a key, not the name of its file
		"mem:?secret=HUNTER2":                   option,
		"s3://bucket?x=HUNTER2#y":               `registry location "s3://bucket?...": a fragment`,
		"?x=HUNTER2:y":                          "not a URL scheme",
		"s3://bucket?x=HUNTER2;y":               "semicolon",
		"s3://bucket?x=%zzHUNTER2":              "escape",
		"file://host/x?key=HUNTER2":             "three slashes",
		"s3://bucket/x#HUNTER2":                 "fragment",
	} {
		u, err := store.ParseURL(location)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("ParseURL(%q) = %v, %v, want %q", location, u, err, says)
			continue
		}
		if s := strings.ToUpper(err.Error()); strings.Contains(s, "HUN") || strings.Contains(s, "TER2") || strings.Contains(s, "KEY:") {
			t.Errorf("ParseURL(%q) echoes: %v", location, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"", "/srv", "C:\\x", "file:///a%20b", "file:a", "s3://b/p?x=y", "s3://k:s@b", "mem:", "my:model", "s3://b#f", "file://localhost/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, location string) {
		u, err := store.ParseURL(location)
		if err != nil {
			// What stands before an "@" may be a secret. Short ones are
			// found by chance.
			if i := strings.LastIndexByte(location, '@'); i > 0 {
				secret := location[:i]
				if j := strings.LastIndexAny(secret, ":/"); j >= 0 {
					secret = secret[j+1:]
				}
				if len(secret) > 12 && !strings.Contains(location[i:], secret) && strings.Contains(err.Error(), secret) {
					t.Errorf("ParseURL(%q) echoes: %v", location, err)
				}
			}
			return
		}
		if u.Scheme == "" || u.Scheme != strings.ToLower(u.Scheme) || u.User != nil || u.Fragment != "" {
			t.Errorf("%q is read as %#v", location, u)
		}
		if u.Scheme == "file" && (u.Opaque != "" || u.Host != "" && u.Host != "localhost") {
			t.Errorf("%q is read as %#v", location, u)
		}
		if !strings.Contains(location, ":") && (u.Scheme != "file" || u.Path != location) {
			t.Errorf("the path %q is read as %#v", location, u)
		}
	})
}
