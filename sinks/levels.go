package sinks

import "context"

// LevelReader reads personal rows as what they become at each level of generalisation,
// so that levels can be chosen for them. Nothing is read that could not be published
// at the finest level, but for a hash of the person that a row is about and of its
// sensitive values.
type LevelReader interface {
	// ReadLevels reads the rows of partitions of a dataset that is published. The whole
	// of it is held in memory: some 4 bytes for each row and column of the class.
	ReadLevels(ctx context.Context, dataset string, partitions []Partition) (*LevelledRows, error)
}

// LevelledRows are rows by the columns of their equivalence class.
type LevelledRows struct {
	// Columns are the different values of each column of the class, in the policy's
	// order, each as what it becomes at every level.
	Columns [][][]string
	// Values are, for each column, the rows' values as indexes into Columns.
	Values [][]uint32
	// Partitions are the rows' partitions, as indexes into those that were asked for.
	Partitions []uint32
	// Subjects are hashes of the people that the rows are about.
	Subjects []uint64
	// Sensitive are, for each sensitive column in the policy's order, hashes of the rows'
	// values.
	Sensitive [][]uint64
}
