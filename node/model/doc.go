// Package model is the risk model as a service (T4): it judges given inputs, asks what if of a real plant, says why a level is
// what it is and what would lower it, by the model in force, any published one or a draft. Every caller has a quota, every use is
// counted.
package model
