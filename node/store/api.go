package store

import (
	"dusthub/crypto/chain"
	"dusthub/schema"
)

// Row is a record as it stands now, with where it came from.
type Row struct {
	Origin string // site that owns it
	Seq    uint64 // its entry in that site's ledger
	Time   int64  // ms, time of the entry at its origin
	Here   int64  // ms, when this site first applied it; later changes leave it
	Type   string
	Key    string
	Record schema.Record
}

// Query selects rows of one type, in key order or in the order of an index.
type Query struct {
	Type   string
	Index  string   // "" is key order; "enterprise,onset" is the index declared under that name
	Prefix []string // equal values for the leading fields of the index (or a prefix of the key)
	From   int64    // lower bound, inclusive, of the next field when it is a number
	To     int64    // upper bound, exclusive; 0 is none
	Desc   bool
	Limit  int    // 0 is 100, at most 1000
	After  string // cursor of the page before
}

// Page is one page of rows; Next is empty on the last.
type Page struct {
	Rows []Row
	Next string
}

// SeriesRef names a series everywhere: the site it arose at and its number there.
type SeriesRef struct {
	Origin string
	Series uint32
}

// Point is one stored sample.
type Point struct {
	Time    int64 // ms
	Value   float64
	Quality uint8
}

// Bucket is one step of a range query.
type Bucket struct {
	Start int64 // ms
	Count uint64
	Min   float64
	Max   float64
	Sum   float64
	Last  float64
}

// Conflict is a sample that came again with another value; the first is kept.
type Conflict struct {
	Series SeriesRef
	Time   int64
	Kept   float64
	Got    float64
}

// Appended says what became of the samples of a frame.
type Appended struct {
	Stored     int
	Duplicates int
	Conflicts  []Conflict // at most 16 are listed
	Conflicted int        // how many there were
}

// LedgerHead is where a ledger stands.
type LedgerHead struct {
	Origin string
	Epoch  uint64
	Seq    uint64
	Digest chain.Digest
}
