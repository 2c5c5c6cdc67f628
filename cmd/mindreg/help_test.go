package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command's help says in a line what it is for, and shows how it is
// used.
func TestHelpIsComplete(t *testing.T) {
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		for _, s := range c.Commands() {
			check(s)
		}
		if c.IsAdditionalHelpTopicCommand() || c.Name() == "completion" || c.Parent() != nil && c.Parent().Name() == "completion" {
			return
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || len(c.Short) > 70 {
			t.Errorf("%s: the line on what it is for is %q", c.CommandPath(), c.Short)
		}
		if c.Long == "" {
			t.Errorf("%s: the help does not say what it does", c.CommandPath())
		}
		if !strings.Contains(c.Example, "mindreg ") {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			if len(strings.TrimSpace(line)) > 0 && len(line) > 86 {
				t.Errorf("%s: too wide for a terminal: %s", c.CommandPath(), line)
			}
		}
	}
	check((&app{}).command())
}
