package gcsstore

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
)

// Whether there are credentials depends on the machine; what is said if
// there are none does not.
func TestNoCredentialsRemedy(t *testing.T) {
	err := error(&credentialsError{none: true, err: errors.New("could not find default credentials")})
	for _, want := range []string{"GOOGLE_APPLICATION_CREDENTIALS", "gcloud auth application-default login", "?anonymous=true"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is not ErrPermission", err)
	}
}

// What has been given back is not read any more, however late the transport
// comes for it.
func TestBorrowedBody(t *testing.T) {
	r := &borrowed{b: []byte("body")}
	p := make([]byte, 2)
	if n, err := r.Read(p); n != 2 || err != nil || string(p) != "bo" {
		t.Fatalf("%d %v %q", n, err, p)
	}
	r.giveBack()
	if n, err := r.Read(p); n != 0 || err == nil || err == io.EOF {
		t.Errorf("after giving back: %d bytes, %v; want an error that is not the end", n, err)
	}
}
