// Dialogues to try the page with; written for this project.

export const examples = [
  {
    context: "Ines and Tomek share a flat in Lisbon. Last night Tomek ate the birthday cake slices Ines had saved for her colleagues.",
    words: [
      "Tomek: Morning. Why are you glaring at the fridge?",
      "Ines: Four slices, Tomek. They were in a box with my name on it.",
      "Tomek: I thought the name was the bakery.",
      "Ines: The bakery is called INES DO NOT TOUCH?",
      "Tomek: Okay, fair. It was two in the morning.",
      "Ines: I have to walk into the office empty-handed after promising everybody. I'm really annoyed.",
      "Tomek: You're right, and I'm sorry. I'll go to the bakery before you leave and bring a whole new one, my treat, and from now on anything in a box is off limits to me.",
    ].join("\n"),
  },
  {
    context: "Colleagues at a call centre, Tasha and Emre, in the break room after a bad shift.",
    words: [
      "Emre: You okay? You've stirred that coffee for five minutes.",
      "Tasha: A man called me useless today. Then he asked for somebody with a brain.",
      "Emre: Ugh. Over what?",
      "Tasha: A parcel. A three pound parcel. And I just said 'I understand, sir'.",
      "Emre: That's horrible, I'm sorry. Having to stay polite while someone tramples on you is exhausting. No wonder you're stirring.",
    ].join("\n"),
  },
  {
    context: "Ines and Bartek were flatmates in Porto and catch up about once a month. Four weeks ago Ines said she was about to adopt a greyhound and was scared her landlord would refuse. Two weeks since the last message.",
    words: [
      "Ines: Helloooo stranger",
      "Bartek: Hey you! Sorry, work ate me whole.",
      "Ines: Same. I'm writing this from under a blanket of fur, so excuse any typos.",
      "Bartek: Wait, fur? Is that the greyhound you told me about last month? So the landlord said yes after all?",
    ].join("\n"),
  },
  {
    context: "A customer calls a small florist two days before a funeral.",
    words: [
      "Customer: I need flowers for my aunt's funeral on Thursday.",
      "Florist: I'm very sorry for your loss. We can certainly do that for Thursday.",
      "Customer: Thank you. I have no idea about flowers, to be honest.",
      "Florist: You don't have to. That's my part.",
      "Customer: Just not one of those gloomy wreaths. She'd have rolled her eyes.",
      "Florist: She sounds lively. Were there colours she loved to wear, and would you want it to look more like a wild garden or something neat?",
    ].join("\n"),
  },
];
