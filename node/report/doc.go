// Package report makes the regular reports of a region: daily, weekly, monthly (F2.5).
//
// A report is one Report record: its figures, collected once when its period is over (Collect). Whoever prints it, on whichever replica, prints
// the same. Its id is made of kind, region and period, and the machine refuses a second one of the same id, so that there is exactly one.
// The leader makes those of the site's own region on a schedule in Beijing time, and what was missed while the site was down (Maker); those of
// other regions are made when somebody asks.
package report
