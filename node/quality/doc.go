// Package quality says who should be connected, who is, who is heard, and how good base data and readings are (F2.5).
//
// What is asked of data is data itself (rules.yaml). Base data are judged plant by plant (Judge): a Keeper holds of every plant its
// findings in a few dozen bytes, judges a plant anew when the hub tells that something of it changed, and adds the plants up by region,
// so that a question about a country reads one counter. Readings are judged a day at a time, from the store's hourly rollups (sensing.go).
//
// Once an hour the leader writes how every region stands into the day's RegionDay records, and several times a day what it found in the
// readings (Survey): trends are read from these records, so that they outlive restarts and are the same on every replica.
package quality
