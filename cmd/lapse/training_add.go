package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/sinks"
)

func (a *app) trainingAddCommand() *cobra.Command {
	n := trainingNote{Type: noteAddition}
	var item string
	var at atFlag
	c := &cobra.Command{
		Use:   "add --item ID | --key KEY",
		Short: "Record what was made from an item after its upload, and for what else it is kept",
		Long: `What was made from an item (crops, embeddings, thumbnails) is deleted with it, whenever it
was recorded. An item that serves a further purpose stays until that is complete, too.`,
		Example: `  lapse training add --key o1/img-1.jpg --derivative crops/img-1.webp --derivative embeddings/img-1.npy
  lapse training add --item 4be0643f1d98573b97cdca98a65347dd --purpose liveness`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if (item == "") == (n.Key == "") {
				return usageError{errors.New("say which item is meant, with --item or --key")}
			}
			if n.At, err = at.time(); err != nil {
				return err
			}
			return a.note(c.Context(), "recorded", func(i *installation) ([]trainingNote, error) {
				if item != "" {
					n.Bucket, n.Key, err = i.placeOf(c.Context(), item)
				} else {
					n.Bucket = i.bucketOr(n.Bucket)
					_, err = i.itemOf(c.Context(), sinks.TrainingFilter{Bucket: n.Bucket, Key: n.Key}, n.At)
				}
				return []trainingNote{n}, err
			})
		},
	}
	flags := c.Flags()
	flags.StringVar(&item, "item", "", "the item's id")
	flags.StringVar(&n.Key, "key", "", "the object's key")
	flags.StringVar(&n.Bucket, "bucket", "", "the bucket, as the settings name it (default: the only one)")
	flags.StringSliceVar(&n.Derivatives, "derivative", nil, "key of what was made from it; can be repeated")
	flags.StringSliceVar(&n.Purposes, "purpose", nil, "what it is kept for, too; can be repeated")
	at.register(c)
	return c
}
