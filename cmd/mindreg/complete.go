package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
)

type completion = func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective)

// completeName completes the first argument as the name of an object.
func (a *app) completeName(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.names(cmd.Context(), toComplete), cobra.ShellCompDirectiveNoFileComp
}

// completeNames completes every argument as the name of an object.
func (a *app) completeNames(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return a.names(cmd.Context(), toComplete), cobra.ShellCompDirectiveNoFileComp
}

// completeRef completes the first argument as a reference.
func (a *app) completeRef(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeRefs(cmd, args, toComplete)
}

// completeRefs completes every argument as a reference.
func (a *app) completeRefs(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return a.refs(cmd.Context(), toComplete, false)
}

// completeDeleted completes references to deleted versions.
func (a *app) completeDeleted(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.refs(cmd.Context(), toComplete, true)
}

// completePurgeable completes references to deleted versions, and to live ones
// unless deletedOnly is set.
func (a *app) completePurgeable(ctx context.Context, deletedOnly bool, toComplete string) ([]string, cobra.ShellCompDirective) {
	refs, done := a.refs(ctx, toComplete, true)
	if !deletedOnly || !strings.Contains(toComplete, "@") {
		live, _ := a.refs(ctx, toComplete, false)
		refs = append(live, refs...)
	}
	return refs, done
}

func (a *app) completeNameThenFile(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return thenFile(a.completeName)(cmd, args, toComplete)
}

func (a *app) completeRefThenFile(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return thenFile(a.completeRef)(cmd, args, toComplete)
}

// thenFile completes the first argument with first, the second as a file.
func thenFile(first completion) completion {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return first(cmd, args, toComplete)
	}
}

func (a *app) names(ctx context.Context, prefix string) []string {
	reg, err := a.open(ctx)
	if err != nil {
		return nil
	}
	var names []string
	for name, err := range reg.Objects(ctx, prefix) {
		if err == nil {
			names = append(names, name)
		}
	}
	return names
}

// refs completes "my:m" to names, and "my:model@1" to versions and tags.
func (a *app) refs(ctx context.Context, toComplete string, deleted bool) ([]string, cobra.ShellCompDirective) {
	const done = cobra.ShellCompDirectiveNoFileComp
	name, selector, found := strings.Cut(toComplete, "@")
	if !found {
		return a.names(ctx, name), done | cobra.ShellCompDirectiveNoSpace
	}
	reg, err := a.open(ctx)
	if err != nil {
		return nil, done
	}
	versions := reg.Versions
	if deleted {
		versions = reg.AllVersions
	}
	var refs []string
	for info, err := range versions(ctx, name) {
		if err == nil && strings.HasPrefix(info.Version.String(), selector) && (info.Deleted != nil) == deleted && !info.Purged {
			refs = append(refs, info.Ref())
		}
	}
	if !deleted {
		for _, tag := range tagNames(ctx, reg, name, selector) {
			refs = append(refs, name+"@"+tag)
		}
	}
	if !deleted && strings.HasPrefix(registry.Latest, selector) {
		refs = append(refs, name+"@"+registry.Latest)
	}
	return refs, done
}

// completeNameThenTag completes the name of an object, then one of its tags.
func (a *app) completeNameThenTag(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeName(cmd, args, toComplete)
	}
	var tags []string
	if reg, err := a.open(cmd.Context()); err == nil && len(args) == 1 {
		tags = tagNames(cmd.Context(), reg, args[0], toComplete)
	}
	return tags, cobra.ShellCompDirectiveNoFileComp
}

// completeHeldLock completes the name of a lock that is held.
func (a *app) completeHeldLock(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if reg, err := a.open(cmd.Context()); err == nil && len(args) == 0 {
		for l, err := range reg.Locks(cmd.Context()) {
			if err == nil && l.Held() {
				names = append(names, l.Name)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
