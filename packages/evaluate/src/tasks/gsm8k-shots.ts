/** A question and the way to its answer, the last line `#### NUMBER`. */
export interface SolvedProblem {
  readonly question: string
  readonly answer: string
}

/** Worked examples in the style of GSM8K, written for this package: none is of its files. */
export const gsm8kShots: readonly SolvedProblem[] = [
  {
    question:
      'A bakery sells muffins in boxes of 6. On Monday it sold 14 boxes and 5 single muffins. How many muffins did it sell?',
    answer: 'The boxes hold 14 * 6 = 84 muffins.\nWith the single ones that is 84 + 5 = 89 muffins.\n#### 89',
  },
  {
    question:
      'Priya had 45 stickers. She gave 8 to each of her 3 cousins and then bought a pack of 20. How many stickers does she have now?',
    answer:
      'She gave away 3 * 8 = 24 stickers.\nThat left her 45 - 24 = 21 stickers.\nAfter buying the pack she has 21 + 20 = 41 stickers.\n#### 41',
  },
  {
    question:
      'A bus starts with 32 passengers. At the first stop half of them get off and 7 get on. At the second stop 9 get off. How many passengers are left?',
    answer:
      'At the first stop 32 / 2 = 16 passengers get off, so 16 stay.\nThen 7 get on: 16 + 7 = 23.\nAt the second stop 9 get off: 23 - 9 = 14.\n#### 14',
  },
  {
    question:
      'A jacket costs $80. It is sold at a discount of 25%, and Omar pays with a $100 bill. How much change does he get?',
    answer:
      'The discount is 80 * 25 / 100 = $20.\nThe jacket then costs 80 - 20 = $60.\nHe gets 100 - 60 = $40 back.\n#### 40',
  },
  {
    question:
      'Lena reads 18 pages a day on the 5 weekdays and 30 pages a day on the weekend. How many pages does she read in 2 weeks?',
    answer:
      'On weekdays she reads 5 * 18 = 90 pages.\nOn the weekend she reads 2 * 30 = 60 pages.\nIn one week that is 90 + 60 = 150 pages.\nIn 2 weeks it is 2 * 150 = 300 pages.\n#### 300',
  },
  {
    question:
      'A tank holds 240 liters. A pump fills it at 12 liters a minute while a leak loses 4 liters a minute. How many minutes does it take to fill the empty tank?',
    answer: 'Each minute the tank gains 12 - 4 = 8 liters.\nFilling it takes 240 / 8 = 30 minutes.\n#### 30',
  },
  {
    question: 'Tom is 4 years older than twice the age of his sister. His sister is 9. How old will Tom be in 5 years?',
    answer:
      'Twice the age of his sister is 2 * 9 = 18.\nTom is 18 + 4 = 22 years old.\nIn 5 years he will be 22 + 5 = 27.\n#### 27',
  },
  {
    question:
      'A farmer packs 156 eggs into cartons of 12 and sells each carton for $3.50. How many dollars does he earn?',
    answer: 'He fills 156 / 12 = 13 cartons.\nHe earns 13 * 3.5 = $45.50.\n#### 45.5',
  },
]
