package s3store_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"testing"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/servers"
	"github.com/mindtrace/registry/store"
)

// everyCall makes each call of a store once.
func everyCall(ctx context.Context, st store.Store) map[string]error {
	errs := map[string]error{}
	_, _, errs["get"] = st.Get(ctx, "a/b", nil)
	_, errs["stat"] = st.Stat(ctx, "a/b")
	_, errs["create"] = st.Put(ctx, "a/b", []byte("x"), store.Absent)
	_, errs["replace"] = st.Put(ctx, "a/b", []byte("x"), "0123456789abcdef0123456789abcdef")
	errs["delete"] = st.Delete(ctx, "a/b")
	for _, err := range st.List(ctx, "", "") {
		errs["list"] = err
	}
	_, errs["now"] = st.Now(ctx)
	return errs
}

// wantAll checks the errors of all calls but those named: their kind, and that
// they say what to do.
func wantAll(t *testing.T, errs map[string]error, kind error, says string, but ...string) {
	t.Helper()
	for call, err := range errs {
		if strings.Contains(strings.Join(but, " "), call) {
			continue
		}
		if err == nil || kind != nil && !errors.Is(err, kind) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want one that is %q and says %q", call, err, kind, says)
		}
		for _, e := range []error{store.ErrUnknown, store.ErrPrecondition, store.ErrNotExist} {
			if errors.Is(err, e) {
				t.Errorf("%s: %v; it is also %q", call, err, e)
			}
		}
		if err != nil && strings.Contains(err.Error(), servers.SecretKey) {
			t.Errorf("%s: %v shows the secret", call, err)
		}
	}
}

func TestNoBucket(t *testing.T) {
	onEachServer(t, func(t *testing.T, s *servers.Server, _ string) {
		st := open(t, s.URL("not-there"))
		// An answer to HEAD has no body: nothing tells the bucket from the key.
		// Deleting from it is what has already happened.
		but := []string{"stat", "now"}
		if s.ByComponent() { // SeaweedFS looks at the condition of a swap before it looks for the bucket
			but = append(but, "replace")
		}
		wantAll(t, everyCall(t.Context(), st), store.ErrNoBucket, "--create-bucket", but...)
		_, err := registry.Open(t.Context(), s.URL("not-there"), &registry.Options{Create: true})
		wantAll(t, map[string]error{"open": err}, store.ErrNoBucket, "--create-bucket")

		maker, ok := store.As[store.BucketMaker](st)
		if !ok {
			t.Fatal("no store.BucketMaker")
		}
		for range 2 { // also where it is there already
			if err := maker.MakeBucket(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := registry.Open(t.Context(), s.URL("not-there"), &registry.Options{Create: true}); err != nil {
			t.Error(err)
		}
	})
}

func TestWrongSecret(t *testing.T) {
	oneByOne(t, func(t *testing.T, s *servers.Server, bucket string) {
		if s.Open() {
			t.Skip("it has no accounts")
		}
		t.Setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
		// HEAD is answered without a body: 403 is all there is to see.
		errs := everyCall(t.Context(), open(t, s.URL(bucket)))
		wantAll(t, errs, fs.ErrPermission, "credentials: environment")
		wantAll(t, errs, fs.ErrPermission, "secret key does not belong to the access key", "stat", "now")
	})
}

func TestWrongKeyID(t *testing.T) {
	oneByOne(t, func(t *testing.T, s *servers.Server, bucket string) {
		if s.Open() {
			t.Skip("it has no accounts")
		}
		t.Setenv("AWS_ACCESS_KEY_ID", "nobody")
		errs := everyCall(t.Context(), open(t, s.URL(bucket)))
		wantAll(t, errs, fs.ErrPermission, "does not know this access key", "stat", "now")
		_, err := registry.Open(t.Context(), s.URL(bucket), nil)
		wantAll(t, map[string]error{"open": err}, fs.ErrPermission, "does not know this access key (credentials: environment)")
	})
}

// A public bucket can be read by everybody and written by nobody.
func TestReadOnly(t *testing.T) {
	s := servers.MinIO(t)
	bucket := s.Bucket(t)
	r, err := registry.Open(t.Context(), s.URL(bucket+"/models"), &registry.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Save(t.Context(), "m", "public"); err != nil {
		t.Fatal(err)
	}
	c, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetBucketPolicy(t.Context(), bucket, `{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject", "s3:ListBucket"],
		"Resource": ["arn:aws:s3:::`+bucket+`", "arn:aws:s3:::`+bucket+`/*"]}]}`); err != nil {
		t.Fatal(err)
	}
	public, err := registry.Open(t.Context(), s.URL(bucket+"/models")+"&anonymous=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := public.Load(t.Context(), "m", &got); err != nil || got != "public" {
		t.Errorf("loaded %q, %v", got, err)
	}
	_, err = public.Save(t.Context(), "m", "changed")
	wantAll(t, map[string]error{"save": err}, fs.ErrPermission, "this needs the permission s3:PutObject on "+bucket+"/models/* (credentials: none (anonymous))")
	_, err = public.Delete(t.Context(), "m@1.0.0", nil)
	wantAll(t, map[string]error{"delete": err}, fs.ErrPermission, "s3:PutObject")
}

// nobody returns an address at which nothing listens.
func nobody(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestNobodyListens(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	addr := nobody(t)
	location := "s3://bucket/?endpoint=http://" + addr
	says := "is a server listening at http://" + addr
	wantAll(t, everyCall(t.Context(), open(t, location)), store.ErrUnavailable, says)
	_, err := registry.Open(t.Context(), location, nil)
	wantAll(t, map[string]error{"open": err}, store.ErrUnavailable, says)
	if !strings.Contains(err.Error(), "times)") {
		t.Errorf("%v: not tried more than once", err)
	}
}

func TestTLSMismatch(t *testing.T) {
	plain := servers.MinIO(t)
	bucket := plain.Bucket(t)
	st := open(t, strings.Replace(plain.URL(bucket), "http%3A", "https%3A", 1))
	wantAll(t, everyCall(t.Context(), st), nil, "write the endpoint as http://"+plain.Addr())

	s := servers.TLSMinIO(t)
	bucket = s.Bucket(t)
	st = open(t, strings.Replace(s.URL(bucket), "https%3A", "http%3A", 1))
	// The server hangs up on what it does not understand: a put cannot know.
	wantAll(t, everyCall(t.Context(), st), nil, "write the endpoint as https://"+s.Addr(), "stat", "now", "create", "replace", "delete")
	_, err := registry.Open(t.Context(), strings.Replace(s.URL(bucket), "https%3A", "http%3A", 1), &registry.Options{Create: true})
	wantAll(t, map[string]error{"open": err}, nil, "write the endpoint as https://"+s.Addr())
	wantAll(t, everyCall(t.Context(), open(t, s.URL(bucket))), nil, "$SSL_CERT_FILE")
}

func TestWrongRegion(t *testing.T) {
	s := servers.VersityGW(t)
	st := open(t, strings.Replace(s.URL(s.Bucket(t)), servers.Region, "eu-north-1", 1))
	wantAll(t, everyCall(t.Context(), st), nil, "?region=", "stat", "now")
}

func TestSecretsInURL(t *testing.T) {
	for _, location := range []string{
		"s3://AKIA:s3cr3t@bucket/", "s3://bucket/?secret_key=s3cr3t", "s3://bucket/?access_key=s3cr3t",
		"s3://bucket/?token=s3cr3t", "s3://bucket/?endpoint=" + url.QueryEscape("http://AKIA:s3cr3t@host:9000"),
		"s3://bucket/?X-Amz-Signature=s3cr3t", "s3://bucket/?endpoint=http://host?secret=s3cr3t",
	} {
		_, err := store.Open(t.Context(), location)
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", location, err)
		}
	}
}

func TestBadURLs(t *testing.T) {
	for location, says := range map[string]string{
		"s3://":                              "s3://bucket/prefix",
		"s3:///prefix":                       "s3://bucket/prefix",
		"s3://Bad_Bucket/":                   "s3://bucket/prefix",
		"s3://bucket/?colour=red":            "unknown option",
		"s3://bucket/?anonymous=maybe":       "true or false",
		"s3://bucket/a//b":                   "prefix",
		"s3://bucket/?endpoint=ftp://host":   "http://host:9000",
		"s3://bucket/?endpoint=http://h/dir": "http://host:9000",
	} {
		if _, err := store.Open(t.Context(), location); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want one that says %q", location, err, says)
		}
	}
}
