package store

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"unicode"
)

// ParseURL reads a location as Open does. A path of the file system becomes
// a URL of scheme "file" with that path, unescaped, in Path. Secrets are
// refused, and never part of the error: URLs end up in logs, histories and
// process lists.
func ParseURL(location string) (*url.URL, error) {
	if location == "" {
		return nil, errors.New("empty registry location")
	}
	// White space around a URL is the newline of a file or of a copied line.
	trimmed := strings.TrimSpace(location)
	scheme, rest, found := strings.Cut(trimmed, ":")
	// One letter before the colon is a Windows drive.
	bad := func(format string, args ...any) (*url.URL, error) {
		return nil, fmt.Errorf("registry location %.200q: %s", shown(location), fmt.Sprintf(format, args...))
	}
	if !found || len(scheme) < 2 || strings.ContainsAny(scheme, `/\.`) {
		if strings.ContainsFunc(location, unicode.IsControl) {
			return bad("it holds a line break or another control character; take that out")
		}
		if trimmed != location {
			return bad("it begins or ends with white space; take that out")
		}
		return &url.URL{Scheme: "file", Path: location}, nil
	}
	location = trimmed
	if strings.ContainsFunc(location, unicode.IsControl) {
		return bad("it holds a line break or another control character; take that out")
	}
	scheme = strings.ToLower(scheme)
	if !schemePattern.MatchString(scheme) {
		return bad("what comes before the colon is not a URL scheme; write ./ before the name of a directory")
	}
	if !strings.HasPrefix(rest, "//") && scheme != "mem" && scheme != "file" {
		if strings.Contains(rest, "@") {
			return bad("write scheme://... for a URL, and ./ before the name of a directory")
		}
		return bad("write %.40s://... for a URL, or ./%.200s for a directory of that name", scheme, shown(location))
	}
	u, err := url.Parse(location)
	switch {
	case err == nil && u.User != nil, err != nil && strings.Contains(rest, "@"):
		// A key with a slash in it makes a URL that does not parse.
		return bad("it holds credentials; put them in the environment or a credentials file instead")
	case err != nil:
		return nil, fmt.Errorf("registry location %s://... is not a URL: %s", scheme, reason(err))
	case u.Fragment != "":
		return bad("a fragment (#...) has no meaning here")
	}
	options, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return bad("its options are not of the form ?a=b&c=d: %s", reason(err))
	}
	for name, values := range options {
		if secretOption.MatchString(name) && !fileName(name, values) {
			return bad("the option %q holds a secret; put it in the environment or a credentials file instead", name)
		}
	}
	if u.Scheme != "file" {
		return u, nil
	}
	if u.Host != "" && u.Host != "localhost" {
		return bad("a file URL has three slashes, %.200s", shown("file:///"+u.Host+u.Path))
	}
	if u.Opaque != "" {
		path, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return bad("it is not a URL: %s", reason(err))
		}
		u.Path, u.Opaque = path, ""
	}
	u.Path = localPath(u.Path, runtime.GOOS)
	return u, nil
}

var (
	schemePattern = regexp.MustCompile(`^[a-z][a-z0-9+-]*$`)
	secretOption  = regexp.MustCompile(`(?i)secret|passw|token|signature|credential|access[_-]?key`)
	quoted        = regexp.MustCompile(`(?s)".*"`)
)

// fileName reports whether the option is credentials=PATH, where PATH names
// a JSON file. It is the one option with the name of a secret that holds none.
func fileName(option string, values []string) bool {
	return option == "credentials" && !slices.ContainsFunc(values, func(v string) bool {
		return !strings.HasSuffix(v, ".json") || strings.ContainsAny(v, "{}\"\n")
	})
}

// shown returns what an error may quote of a location: not the part before
// an "@", and no options.
func shown(location string) string {
	if i := strings.LastIndexByte(location, '@'); i >= 0 {
		scheme, _, _ := strings.Cut(location, "://")
		if schemePattern.MatchString(scheme) {
			scheme += "://"
		} else {
			scheme = ""
		}
		location = scheme + "..." + location[i:]
	}
	if i := strings.IndexAny(location, "?#"); i >= 0 {
		location = location[:i] + location[i:i+1] + "..."
	}
	return location
}

// reason returns why a URL does not parse, without a quotation of it: an
// invalid port may be half of a secret.
func reason(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return quoted.ReplaceAllString(err.Error(), "(...)")
}

// localPath turns the path of a file URL into a path of the file system: on
// Windows, file:///C:/models means C:/models.
func localPath(path, goos string) string {
	if goos == "windows" && len(path) > 2 && path[0] == '/' && path[2] == ':' {
		return path[1:]
	}
	return path
}
