package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// errPurged means that only a tombstone is left of an item.
var errPurged = errors.New("the item is purged already: 'lapse training certificate --item ID' proves it")

// decisionFlags say whose consent is meant.
type decisionFlags struct {
	reference, item, subject, organisation string
	at                                     atFlag
}

func (f *decisionFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.reference, "reference", "", "the consent, by the name it was registered with")
	c.Flags().StringVar(&f.item, "item", "", "the consent for one item, by its id")
	c.Flags().StringVar(&f.subject, "subject", "", "a person's consent, for all that shows the person")
	c.Flags().StringVar(&f.organisation, "organisation", "", "an organisation's consent, for all that it uploaded")
	f.at.register(c)
}

// note returns the note about a decision, which concerns exactly one of these.
func (f *decisionFlags) notes(c *cobra.Command, i *installation, decision, by string) ([]trainingNote, error) {
	given := 0
	for _, text := range []string{f.reference, f.item, f.subject, f.organisation} {
		if text != "" {
			given++
		}
	}
	if given != 1 {
		return nil, usageError{errors.New("say whose consent is meant, with one of --reference, --item, --subject and --organisation")}
	}
	at, err := f.at.time()
	if err != nil {
		return nil, err
	}
	n := trainingNote{Type: noteConsent, At: at, Decision: decision, ConsentBy: by, ConsentReference: f.reference, Subject: f.subject, Organisation: f.organisation}
	if f.item != "" {
		if n.Bucket, n.Key, err = i.placeOf(c.Context(), f.item); err != nil {
			return nil, err
		}
	}
	return []trainingNote{n}, nil
}

func (a *app) trainingWithdrawCommand() *cobra.Command {
	var f decisionFlags
	var erase bool
	c := &cobra.Command{
		Use:   "withdraw --reference NAME | --item ID | --subject NAME | --organisation NAME",
		Short: "Record that consent was withdrawn, or that somebody is to be erased",
		Long: `The items that the consent was for are hidden and then deleted by the next runs of
'lapse run purge'. A consent that is granted later ends that, unless --erase says that
the person asked to be erased, or that the organisation's contract has ended.`,
		Example: `  lapse training withdraw --reference c-17
  lapse training withdraw --subject u-4711
  lapse training withdraw --organisation o1 --erase --at 2027-03-31`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			decision := "withdrawn"
			if erase {
				decision = "erased"
			}
			return a.note(c.Context(), "recorded as "+decision, func(i *installation) ([]trainingNote, error) {
				return f.notes(c, i, decision, "")
			})
		},
	}
	f.register(c)
	c.Flags().BoolVar(&erase, "erase", false, "whatever is granted later does not undo it")
	return c
}

func (a *app) trainingGrantCommand() *cobra.Command {
	var f decisionFlags
	var by string
	c := &cobra.Command{
		Use:   "grant --reference NAME | --item ID | --subject NAME | --organisation NAME",
		Short: "Record that consent was given after the upload",
		Long: `Items that were due because consent was absent or withdrawn are due no more, and no
longer hidden. What was deleted stays deleted.`,
		Example: `  lapse training grant --item 4be0643f1d98573b97cdca98a65347dd --by guardian
  lapse training grant --reference c-17`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.note(c.Context(), "recorded as granted", func(i *installation) ([]trainingNote, error) {
				return f.notes(c, i, "granted", by)
			})
		},
	}
	f.register(c)
	c.Flags().StringVar(&by, "by", "", "who consented: self or guardian; needed where a child is to be seen")
	return c
}
