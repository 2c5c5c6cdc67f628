package plain

import (
	"encoding/json"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// hostile has sequences that a terminal executes, and characters that mislead
// a reader.
var hostile = []string{
	"\x1b[2J", "\x1b]0;owned\x07", "\u009b31m", "a\u202egpj.exe", "\u2066x\u2069", "\u200f", "\u061c", "line\nmindreg: done",
	"carriage\rreturn", "tab\there", "\x7f", "\xff\xfe", "\xc2", "\u2028", "\ufeff", "\U000e0041", "\ue000", "\x00",
}

func TestTextIsOneLineThatIsShown(t *testing.T) {
	for _, s := range hostile {
		got := Text("a" + s + "b")
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsGraphic(r) }) {
			t.Errorf("%q is shown as %q", s, got)
		}
		if got == "a"+s+"b" {
			t.Errorf("%q is not escaped", s)
		}
		if lines := Lines(s); strings.Count(lines, "\n") != strings.Count(s, "\n") || strings.ContainsFunc(lines, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsGraphic(r) }) {
			t.Errorf("the lines of %q are shown as %q", s, lines)
		}
	}
}

func TestWhatPeopleWriteStays(t *testing.T) {
	for _, s := range []string{"", "model.bin", `C:\models`, "größe", "模型", "e\u0301", "👩\u200d🔬", "narrow\u202fspace", "a b", "\ufffd"} {
		if got := Text(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func TestJSONMeansTheSame(t *testing.T) {
	for _, s := range append(hostile, "größe", "\U0001f600") {
		text, err := json.MarshalIndent(map[string]string{"a" + s: s}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got := JSON(text)
		for _, r := range string(got) {
			if r != '\n' && !shown(r) {
				t.Errorf("%q: %q is left in %q", s, r, got)
			}
		}
		var before, after map[string]string
		if err := json.Unmarshal(text, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(got, &after); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		for k, v := range before {
			if after[k] != v {
				t.Errorf("%q became %q", v, after[k])
			}
		}
	}
}

// What is pasted is one word, and the same bytes.
func TestShellWord(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil || runtime.GOOS == "windows" {
		t.Skip("no bash")
	}
	for _, s := range append(hostile, "", "/srv/models", "~/reg", "~", `C:\reg`, "it's", "a b", "s3://b/p?endpoint=http://h:1&x=y", "$HOME", "`id`", "=ls", "a~b", "-n", "*", "a\\'b") {
		if strings.Contains(s, "\x00") {
			continue // no argument can hold it
		}
		word := ShellWord(s)
		if Text(word) != word {
			t.Errorf("%q is quoted as %q, which cannot be shown", s, word)
		}
		out, err := exec.Command(bash, "-c", "printf '%s' "+word).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q, quoted as %s, is %q to a shell (%v)", s, word, out, err)
		}
	}
}
