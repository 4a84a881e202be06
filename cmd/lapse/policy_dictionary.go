package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks/clickhouse"
)

//go:embed policy_dictionary.md.tmpl
var dictionaryPage string

func (a *app) policyDictionaryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "dictionary [FILE]",
		Short: "Describe the tables that analysts can read, as Markdown",
		Long: `Describes every table of the anonymised database as it is created from the policy: what
its columns mean, from which field of the policy and under which clause they come, how
far they are generalised, and in which order that is tried until a row is among k people.
With --output json the same is written for programs.`,
		Example: "  lapse policy dictionary > dictionary.md\n  lapse policy dictionary --output json",
		Args:    atMostOne(),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := a.policyFrom(args)
			if err != nil {
				return err
			}
			tables, err := clickhouse.Dictionary(p, clickhouse.DatabasesWithPrefix(a.settings.ClickHouse.DatabasePrefix))
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.printJSON(tables)
			}
			return a.printDictionary(p, tables)
		},
	}
}

func (a *app) printDictionary(p *config.Policy, tables []clickhouse.DictionaryTable) error {
	page, err := template.New("dictionary").Funcs(template.FuncMap{"cell": markdownCell, "join": strings.Join}).Parse(dictionaryPage)
	if err != nil {
		return err
	}
	return page.Execute(a.out, map[string]any{"Policy": p, "Hash": fmt.Sprintf("%x", p.Hash), "Tables": tables})
}

// markdownCell writes a text as a cell of a Markdown table.
func markdownCell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "*", `\*`, "_", `\_`).Replace(strings.TrimSpace(text))
}

func (a *app) policyGrantsCommand() *cobra.Command {
	user, personal, own := "", false, false
	c := &cobra.Command{
		Use:   "grants",
		Short: "Print the SQL that makes the users of a ClickHouse server: an analyst's, or Lapse's own",
		Long: `Prints the statements that make a user who can read the anonymised database and nothing
else: no personal table, none of Lapse's own, nothing of the server. Put a password into
the first statement, run them as an administrator of the server, and name the user in
clickhouse.analyst_dsn (clickhouse.reader_dsn). A user who is there already loses every
other right by them.

With --own it is the user of clickhouse.dsn: it may do what runs need in Lapse's databases,
and nothing elsewhere.

The embedded engine has such a user from the start, which 'lapse query' uses.`,
		Example: "  lapse policy grants\n  lapse policy grants --user reports > grants.sql\n  lapse policy grants --own",
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			databases := clickhouse.DatabasesWithPrefix(a.settings.ClickHouse.DatabasePrefix)
			statements := clickhouse.AnalystGrants(databases, cmp.Or(user, "analyst"))
			if personal {
				statements = clickhouse.ReaderGrants(databases, cmp.Or(user, "reader"))
			}
			if own {
				statements = clickhouse.ServiceGrants(databases, cmp.Or(user, "lapse"), a.settings.ClickHouse.Cluster != "")
			}
			if a.output == "json" {
				return a.printJSON(statements)
			}
			for _, s := range statements {
				a.say("%s;", s)
			}
			return nil
		},
	}
	c.Flags().StringVar(&user, "user", "", "the user's name (default: analyst, reader or lapse)")
	c.Flags().BoolVar(&personal, "personal", false, "one who can read personal data in the database readable, people who have asked for restriction left out")
	c.Flags().BoolVar(&own, "own", false, "Lapse's own user")
	c.MarkFlagsMutuallyExclusive("own", "personal")
	return c
}
