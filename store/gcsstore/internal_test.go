package gcsstore

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A path in the environment is read as it was meant, without the newline of
// the file that it came from.
func TestCredentialsVariableEndsInNewline(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key.json")
	key := `{"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}`
	if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"as it is": file, "with a newline": " " + file + "\r\n"} {
		t.Setenv(adcVariable, value)
		a := &account{}
		if _, err := a.find(); err != nil || a.from != "$"+adcVariable+", "+file {
			t.Errorf("%s: from %q, %v", name, a.from, err)
		}
	}
	t.Setenv(adcVariable, file+".absent\n")
	if _, err := (&account{}).find(); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), adcVariable) {
		t.Errorf("a file that is not there: %v", err)
	}
}

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

// A bucket has 3 to 63 characters, or up to 222 if there is a dot among them.
func TestLongestBucketNames(t *testing.T) {
	for name, want := range map[string]bool{
		"ab": false, "abc": true, "a.c": true,
		strings.Repeat("a", 63): true, strings.Repeat("a", 64): false,
		"a." + strings.Repeat("a", 62): true, "a." + strings.Repeat("a", 220): true, "a." + strings.Repeat("a", 221): false,
		strings.Repeat("a", 62) + "-": false, "a_c": true, "a/c": false, "abc\n": false,
	} {
		if got := validBucket(name); got != want {
			t.Errorf("%q of %d characters: %t, want %t", name, len(name), got, want)
		}
	}
}
