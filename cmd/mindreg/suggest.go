package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/plain"
)

// whereToLook helps with an object, version or tag that was not found.
func (a *app) whereToLook(ctx context.Context, e *registry.Error) {
	switch e.Op {
	case "load", "resolve", "open object", "check out", "info", "list versions", "list tags", "tag", "untag", "tag history", "delete", "undelete", "purge", "verify":
	default: // the error is not about the contents of this registry
		return
	}
	name, selector, _ := strings.Cut(e.Ref, "@")
	ofTag := e.Op == "untag" || e.Op == "tag history"
	if ofTag && len(a.args) == 2 {
		selector = a.args[1]
	}
	if strings.HasPrefix(e.Ref, "sha256:") {
		a.hint("a digest follows the name of an object: NAME@" + e.Ref)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, suggestLimit)
	defer cancel()
	like, there := a.similar(ctx, name, selector)
	v, err := registry.ParseVersion(selector)
	if there && err == nil && isShort(selector) && e.Op != "undelete" { // undelete takes no range
		a.hint(fmt.Sprintf("%s is short for %s; for the highest version in %[4]s.x, write %[3]s@%[4]s.x", selector, v, name, selector))
	}
	if len(like) > 0 {
		a.hint(didYouMean(like))
	}
	list := "mindreg ls lists the objects"
	switch {
	case there && ofTag:
		list = "mindreg tag ls " + plain.ShellWord(name) + " lists the tags"
	case there:
		list = "mindreg versions " + plain.ShellWord(name) + " lists the versions"
	}
	if url, err := a.location(nil); err == nil {
		a.hint("looked in " + url + "; " + list)
	}
}

// isShort reports whether a version is written short: 1 or 1.2.
func isShort(version string) bool {
	return strings.Count(version, ".") < 2 && !strings.ContainsAny(version, "-+")
}

const (
	suggestLimit = 5 * time.Second // for the search for similar names
	maxSuggested = 3
	maxLookedAt  = 10_000 // at most so many names or versions are compared
)

func didYouMean(refs []string) string { return "did you mean " + strings.Join(refs, " or ") + "?" }

// withoutVersion helps with a name where a version is needed: the name may be
// misspelt, or may be written NAME:TAG.
func (a *app) withoutVersion(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, suggestLimit)
	defer cancel()
	if like, there := a.similar(ctx, name, ""); !there && len(like) > 0 {
		a.hint(didYouMean(like))
	}
}

// similar returns references that exist and look like name@selector, and whether
// an object of that name exists.
func (a *app) similar(ctx context.Context, name, selector string) (like []string, there bool) {
	reg, err := a.open(ctx)
	if err != nil {
		return nil, false
	}
	var names []string
	for n, err := range reg.Objects(ctx, "") {
		if err != nil || len(names) == maxLookedAt {
			break
		}
		names = append(names, n)
	}
	if slices.Contains(names, name) {
		return refsOf(name, nearest(selector, selectors(ctx, reg, name))), true
	}
	// NAME:TAG, as images are called
	if i := strings.LastIndexByte(name, ':'); i > 0 && selector == "" && slices.Contains(names, name[:i]) {
		if like := nearest(name[i+1:], selectors(ctx, reg, name[:i])); len(like) > 0 {
			return refsOf(name[:i], like), false
		}
	}
	like = nearest(name, names)
	if selector == "" {
		return like, false
	}
	for i := range like {
		like[i] += "@" + selector
	}
	return like, false
}

func refsOf(name string, selectors []string) (refs []string) {
	for _, s := range selectors {
		refs = append(refs, name+"@"+s)
	}
	return refs
}

// selectors returns the tags and versions of an object.
func selectors(ctx context.Context, reg *registry.Registry, name string) []string {
	all := tagNames(ctx, reg, name, "")
	for info, err := range reg.Versions(ctx, name) {
		if err != nil || len(all) >= maxLookedAt {
			break
		}
		all = append(all, info.Version.String())
	}
	return append(all, registry.Latest)
}

// meantFlag suggests a flag in place of one that does not exist.
func meantFlag(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
		return ""
	}
	var flags []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { flags = append(flags, f.Name) })
	like := nearest(unknown.GetSpecifiedName(), flags)
	if len(like) == 0 {
		return ""
	}
	return "; did you mean --" + strings.Join(like, " or --") + "?"
}

// nearest returns up to three of all that are most like s: they differ in a few
// letters, or begin or end with s.
func nearest(s string, all []string) []string {
	if s == "" {
		return nil
	}
	const unlike = 1 << 30
	distance := func(other string) int {
		a, b := strings.ToLower(s), strings.ToLower(other)
		if d := edits(a, b); d <= 1+len(a)/5 {
			return d
		}
		if len(a) >= 3 && (strings.HasPrefix(b, a) || strings.HasSuffix(b, a)) {
			return 1 + len(a)/5
		}
		return unlike
	}
	near := map[string]int{}
	for _, other := range all {
		if d := distance(other); d < unlike {
			near[other] = d
		}
	}
	var out []string
	for _, other := range all {
		if _, ok := near[other]; ok && !slices.Contains(out, other) {
			out = append(out, other)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return near[a] - near[b] })
	return out[:min(len(out), maxSuggested)]
}

// edits is the Levenshtein distance between two strings, in bytes; a swap of
// neighbours counts as one.
func edits(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
