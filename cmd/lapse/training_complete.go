package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/sinks"
)

func (a *app) trainingCompleteCommand() *cobra.Command {
	var at atFlag
	var item string
	var models []string
	c := &cobra.Command{
		Use:   "complete PURPOSE",
		Short: "Record that a purpose is complete: for an item, or for all",
		Long: `Items whose last purpose is complete are hidden and then deleted by the next runs of
'lapse run purge'. With --item the purpose is complete for that item alone.`,
		Example: `  lapse training complete face-detection --model face-detection-v2
  lapse training complete liveness --item 4be0643f1d98573b97cdca98a65347dd`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			when, err := at.time()
			if err != nil {
				return err
			}
			return a.note(c.Context(), "recorded as complete", func(i *installation) ([]trainingNote, error) {
				notes := modelNotes(when, args[0], models)
				n := trainingNote{Type: noteCompleted, At: when, Purpose: args[0]}
				if item != "" {
					if n.Bucket, n.Key, err = i.placeOf(c.Context(), item); err != nil {
						return nil, err
					}
				}
				return append(notes, n), nil
			})
		},
	}
	c.Flags().StringVar(&item, "item", "", "id of the item for which it is complete")
	c.Flags().StringArrayVar(&models, "model", nil, "a model that was trained for it; can be repeated")
	at.register(c)
	return c
}

func (a *app) trainingOpenCommand() *cobra.Command {
	var at atFlag
	c := &cobra.Command{
		Use:   "open PURPOSE",
		Short: "Record that a purpose is begun, or is not complete after all",
		Long: `Items that were due because the purpose was complete are due no more, and no longer
hidden. What was deleted stays deleted.`,
		Example: "  lapse training open face-detection",
		Args:    exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			when, err := at.time()
			if err != nil {
				return err
			}
			return a.note(c.Context(), "recorded as open", func(*installation) ([]trainingNote, error) {
				return []trainingNote{{Type: noteOpened, At: when, Purpose: args[0]}}, nil
			})
		},
	}
	at.register(c)
	return c
}

func (a *app) trainingTrainedCommand() *cobra.Command {
	var at atFlag
	c := &cobra.Command{
		Use:   "trained PURPOSE MODEL...",
		Short: "Record that models were trained for a purpose",
		Long: `The items that serve the purpose and had been uploaded then count as what the models
were trained on. Certificates of destruction name the models.`,
		Example: "  lapse training trained face-detection face-detection-v2",
		Args:    atLeast(2),
		RunE: func(c *cobra.Command, args []string) error {
			when, err := at.time()
			if err != nil {
				return err
			}
			return a.note(c.Context(), "recorded", func(*installation) ([]trainingNote, error) {
				return modelNotes(when, args[0], args[1:]), nil
			})
		},
	}
	at.register(c)
	return c
}

func modelNotes(at time.Time, purpose string, models []string) (notes []trainingNote) {
	for _, m := range models {
		notes = append(notes, trainingNote{Type: noteModel, At: at, Purpose: purpose, Model: m})
	}
	return notes
}

// placeOf returns the bucket and key of an item by its id.
func (i *installation) placeOf(ctx context.Context, item string) (bucket, key string, err error) {
	id, err := parseItem(item)
	if err != nil {
		return "", "", err
	}
	e, err := i.itemOf(ctx, sinks.TrainingFilter{Item: id}, time.Now())
	if err == nil && e.State == sinks.TrainingPurged {
		err = usageError{errPurged}
	}
	return e.Bucket, e.Key, err
}
