package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
)

// subjectFlags name people.
type subjectFlags struct {
	subjects []string
	file     string
}

// identifier is one of a person's: the column in which it stands, and its text.
type identifier struct{ column, text string }

func (f *subjectFlags) register(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.subjects, "subject", nil, "a person's identifier: COLUMN=VALUE, such as user_id=u-17; can be repeated")
	c.Flags().StringVar(&f.file, "subjects-file", "", "file with a COLUMN=VALUE on each line, or - for the standard input: what stands in no process list")
}

// parse reads the identifiers, each once.
func (f *subjectFlags) parse(in io.Reader, p *config.Policy) (found []identifier, err error) {
	lines, err := f.lines(in)
	if err != nil {
		return nil, err
	}
	columns := subjectColumns(p)
	for n, line := range lines { // errors do not quote it: it names a person
		column, text, ok := strings.Cut(line, "=")
		switch {
		case !ok || text == "":
			return nil, usageError{fmt.Errorf("identifier %d: write COLUMN=VALUE, such as %s=…", n+1, columns[0])}
		case !slices.Contains(columns, column):
			return nil, usageError{fmt.Errorf("identifier %d: the policy tells people apart by %s, not by what stands before its =", n+1, strings.Join(columns, ", "))}
		}
		if id := (identifier{column, text}); !slices.Contains(found, id) {
			found = append(found, id)
		}
	}
	if len(found) == 0 {
		return nil, usageError{errors.New("name somebody with --subject or --subjects-file")}
	}
	return found, nil
}

func (f *subjectFlags) lines(in io.Reader) ([]string, error) {
	lines := slices.Clone(f.subjects)
	if f.file == "" {
		return lines, nil
	}
	if f.file != standardInput {
		file, err := os.Open(f.file)
		if err != nil {
			return nil, usageError{err}
		}
		defer file.Close() //nolint:errcheck // read only
		in = file
	}
	scanner := bufio.NewScanner(in)
	for scanner.Scan() {
		if line := strings.TrimSpace(scanner.Text()); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, scanner.Err()
}

// subjectColumns returns the columns by which the policy tells people apart.
func subjectColumns(p *config.Policy) (columns []string) {
	for i := range p.Datasets {
		for _, c := range p.Datasets[i].Subject {
			if !slices.Contains(columns, c) {
				columns = append(columns, c)
			}
		}
	}
	return columns
}
