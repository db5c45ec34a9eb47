"""The texts of ``edge-st demo``."""

CORPUS = (
    "Knead the dough for ten minutes, then let it rise until it has doubled.",
    "A pinch of salt brings out the sweetness of ripe tomatoes.",
    "Simmer the lentils with onions and cumin until they are soft.",
    "Melt the butter slowly so that the sauce does not split.",
    "Saturn's rings are made of ice and dust.",
    "The telescope watched a distant star grow dim as a planet passed in front of it.",
    "Astronauts on the space station see sixteen sunrises every day.",
    "The moon's gravity causes the tides of the ocean.",
    "Patch the inner tube and pump up the bicycle tyre before you ride.",
    "Oil the chain after every rainy ride so that it does not rust.",
    "Squeaking brakes often mean that the pads are worn.",
    "The baby slept through the storm.",
    "A short walk after dinner helps to lower blood sugar.",
    "Drink plenty of water and rest when you have a fever.",
    "Stretching before bed can ease back pain.",
    "The bank raised interest rates on savings accounts this spring.",
    "Keep the receipts: travel costs can be deducted from your taxes.",
    "Her rent went up, so she made a monthly budget.",
    "The test fails because the function returns before the file is closed.",
    "Write the backup to another disk and check that it can be restored.",
)
TRIPLE = (
    "A cat is sleeping on the sofa.",
    "The kitten naps on the couch.",
    "The stock market fell sharply today.",
)
QUERIES = ("how do I repair a flat tire on my bike", "planets and stars")
