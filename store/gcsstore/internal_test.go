package gcsstore

import (
	"errors"
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
