package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// docsCommand is for building packages of mindreg, so it is hidden.
func (a *app) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "docs DIR",
		Hidden: true,
		Short:  "Write the man pages and the completions of shells",
		Long: `Write the man pages of all commands to DIR/man, and completions for bash, zsh,
fish and PowerShell to DIR/completions. The date of the pages is that of
$SOURCE_DATE_EPOCH, or else that of the commit this program was built from, so the
same program writes the same files.`,
		Example: `  mindreg docs ./dist`,
		Args:    someArgs(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return runDocs(cmd.Root(), args) },
	}
}

func runDocs(root *cobra.Command, args []string) error {
	when, err := dateOfDocs()
	if err != nil {
		return err
	}
	if err := writeManPages(root, filepath.Join(args[0], "man"), when); err != nil {
		return err
	}
	return writeCompletions(root, filepath.Join(args[0], "completions"))
}

// dateOfDocs is the date that man pages show; it is empty if nothing says it.
// https://reproducible-builds.org/specs/source-date-epoch/
func dateOfDocs() (string, error) {
	if s := os.Getenv("SOURCE_DATE_EPOCH"); s != "" {
		seconds, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return "", usagef("SOURCE_DATE_EPOCH: %q is not a number of seconds since 1970", s)
		}
		return time.Unix(seconds, 0).UTC().Format(time.DateOnly), nil
	}
	if d := thisVersion().Date; d != nil {
		return d.Format(time.DateOnly), nil
	}
	return "", nil
}

// writeManPages writes one page for each command.
func writeManPages(root *cobra.Command, dir, date string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for cmd := range commands(root) {
		page := filepath.Join(dir, pageName(cmd)+".1")
		if err := os.WriteFile(page, manPage(cmd, date), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// writeCompletions writes one file for each shell, named as that shell expects
// it in a directory of completions.
func writeCompletions(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, shell := range []struct {
		file     string
		generate func(io.Writer) error
	}{
		{"mindreg.bash", func(w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
		{"_mindreg", root.GenZshCompletion},
		{"mindreg.fish", func(w io.Writer) error { return root.GenFishCompletion(w, true) }},
		{"mindreg.ps1", root.GenPowerShellCompletionWithDesc},
	} {
		var script bytes.Buffer
		if err := shell.generate(&script); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, shell.file), script.Bytes(), 0o666); err != nil {
			return err
		}
	}
	return nil
}
