package main

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Man pages, from what --help shows. Package doc of cobra would read the help
// texts as Markdown, and so tear the tables in them apart.
// https://man7.org/linux/man-pages/man7/groff_man.7.html

// commands yields root and every command below it that has a man page: all but
// hidden ones, help, and topics.
func commands(root *cobra.Command) iter.Seq[*cobra.Command] {
	return func(yield func(*cobra.Command) bool) {
		if !yield(root) {
			return
		}
		for _, c := range root.Commands() {
			if !c.IsAvailableCommand() {
				continue
			}
			for below := range commands(c) {
				if !yield(below) {
					return
				}
			}
		}
	}
}

// pageName is the name of a command's man page, such as mindreg-tag-set.
func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage returns the man page of a command.
func manPage(c *cobra.Command, date string) []byte {
	var p roff
	fmt.Fprintf(&p, ".TH %s 1 \"%s\" mindreg \"User Commands\"\n", quoted(strings.ToUpper(pageName(c))), date)
	p.section("NAME")
	fmt.Fprintf(&p, "%s \\- %s\n", escaped(pageName(c)), escaped(c.Short))
	p.section("SYNOPSIS")
	path, use := c.CommandPath(), c.UseLine()
	fmt.Fprintf(&p, "\\fB%s\\fR%s\n", escaped(path), escaped(strings.TrimPrefix(use, path)))
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&p, ".br\n\\fB%s\\fR %s\n", escaped(path), escaped("COMMAND [flags]"))
	}
	p.section("DESCRIPTION")
	p.text(cmp.Or(c.Long, c.Short))
	p.commands(c)
	p.flags("OPTIONS", c.NonInheritedFlags())
	p.flags("GLOBAL OPTIONS", c.InheritedFlags())
	for _, topic := range c.Commands() {
		if topic.IsAdditionalHelpTopicCommand() {
			p.section(strings.ToUpper(strings.ReplaceAll(topic.Name(), "-", " ")))
			p.text(topic.Long)
		}
	}
	if c.Example != "" {
		p.section("EXAMPLES")
		p.text(c.Example)
	}
	p.seeAlso(c)
	return p.Bytes()
}

// roff is a page as it is written.
type roff struct{ bytes.Buffer }

func (p *roff) section(title string) { fmt.Fprintf(p, ".SH %s\n", quoted(title)) }

// text writes what is written for a terminal: paragraphs, and lines that begin
// with a blank, which keep their breaks.
func (p *roff) text(s string) {
	kept, between := false, false // in kept lines; after an empty line
	for line := range strings.Lines(strings.Trim(s, "\n") + "\n") {
		line = strings.TrimRight(line, " \t\n")
		if line == "" {
			between = true
			continue
		}
		keep := line[0] == ' ' || line[0] == '\t'
		if kept && !keep {
			p.WriteString(".EE\n")
		}
		if between || kept && !keep {
			p.WriteString(".PP\n")
		}
		if keep && !kept {
			p.WriteString(".EX\n")
		}
		kept, between = keep, false
		fmt.Fprintln(p, escaped(strings.ReplaceAll(line, "\t", "  ")))
	}
	if kept {
		p.WriteString(".EE\n")
	}
}

// commands lists those below c, by their groups.
func (p *roff) commands(c *cobra.Command) {
	if !c.HasAvailableSubCommands() {
		return
	}
	p.section("COMMANDS")
	list := func(group string) {
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.GroupID == group {
				fmt.Fprintf(p, ".TP\n\\fB%s\\fR(1)\n%s\n", escaped(pageName(sub)), escaped(sub.Short))
			}
		}
	}
	for _, g := range c.Groups() {
		fmt.Fprintf(p, ".SS %s\n", quoted(strings.TrimSuffix(g.Title, ":")))
		list(g.ID)
	}
	if slices.ContainsFunc(c.Commands(), func(sub *cobra.Command) bool { return sub.IsAvailableCommand() && sub.GroupID == "" }) {
		if len(c.Groups()) > 0 {
			fmt.Fprintf(p, ".SS %s\n", quoted("Others"))
		}
		list("")
	}
}

func (p *roff) flags(title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	p.section(title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		p.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(p, "\\fB\\-%s\\fR, ", f.Shorthand)
		}
		value, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(p, "\\fB%s\\fR", escaped("--"+f.Name))
		if value != "" {
			fmt.Fprintf(p, " \\fI%s\\fR", escaped(value))
		}
		if !slices.Contains([]string{"", "false", "0", "0s", "[]"}, f.DefValue) {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(p, "\n%s\n", escaped(usage))
	})
}

// seeAlso names the pages of the commands above and below c.
func (p *roff) seeAlso(c *cobra.Command) {
	var near []string
	for above := c.Parent(); above != nil; above = above.Parent() {
		near = append(near, pageName(above))
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			near = append(near, pageName(sub))
		}
	}
	if len(near) == 0 {
		return
	}
	p.section("SEE ALSO")
	for i, name := range near {
		after := ","
		if i == len(near)-1 {
			after = ""
		}
		fmt.Fprintf(p, "\\fB%s\\fR(1)%s\n", escaped(name), after)
	}
}

// plainly writes the characters that roff would take for others, or for
// typography that does not survive a copy into a shell.
var plainly = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`)

// escaped returns text that stands for itself, also at the start of a line.
func escaped(s string) string {
	s = plainly.Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

// quoted returns text as an argument of a macro.
func quoted(s string) string { return `"` + strings.ReplaceAll(escaped(s), `"`, `\(dq`) + `"` }
