// Package kanon chooses levels of generalisation. Given rows, a hierarchy for each
// quasi-identifying column and a requirement (k-anonymity over distinct people,
// l-diversity and t-closeness of sensitive columns, a limit to suppression), it
// finds the vectors of levels that lose the least information.
//
// The requirement and the measures of loss are those of ARX, to the last digit
// (Prasser, Eicher, Spengler, Bild, Kuhn: Flexible data anonymization using ARX,
// Software: Practice and Experience 2020), so that a choice made there and one made
// here can be compared; the search is exact, and prunes as Flash does (Kohlmayer,
// Prasser, Eckert, Kemper, Kuhn, 2012). Beyond ARX, several rows may be about one
// person: then people are counted, and not rows.
//
// The package is pure: it reads no file, no clock and no store, logs nothing and
// starts nothing. Its memory is bounded by the rows it is given, the number of level
// vectors (at most MaxVectors) and a fixed cache.
package kanon
