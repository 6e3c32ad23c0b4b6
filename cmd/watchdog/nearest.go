package main

import (
	"fmt"
	"strings"
)

// didYouMean returns a suggestion to append to a message about an unknown word: the known ones that end with it, or else
// the nearest; empty when none is near. All of them begin with the prefix, and so does the word; what they share
// tells nothing.
func didYouMean(prefix, word string, known []string) string {
	word = strings.TrimPrefix(word, prefix)
	var longer []string
	for _, k := range known {
		if word != "" && strings.HasSuffix(k, "_"+word) {
			longer = append(longer, k)
		}
	}
	if len(longer) > 0 {
		return fmt.Sprintf("; did you mean %s?", strings.Join(longer, " or "))
	}
	best, least := "", len(word)/2+1
	for _, k := range known {
		if d := distance(word, strings.TrimPrefix(k, prefix)); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// distance is the number of bytes to insert, delete or replace on the way from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
